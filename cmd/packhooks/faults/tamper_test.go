//go:build faults && linux

package faults_test

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"modernc.org/sqlite"

	client "github.com/packhooks/packhooks/client"
)

func init() {
	sqlite.MustRegisterDeterministicScalarFunction("flip", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		secret := bytes.Clone(args[0].([]byte))
		secret[args[1].(int64)] ^= 1
		return secret, nil
	})
}

// Somebody writes to the file who has not got the keyset.
func TestTamperingIsFound(t *testing.T) {
	p := newPlace(t)
	for _, organization := range []string{"acme", "other"} {
		p.fill(organization, 60)
	}
	s := p.serve()
	c := newClient(t, s.url, p.token("acme", "other"))
	db := openRaw(t, p.path("packhooks.db"))
	defer db.Close()
	for _, tt := range []struct{ name, statement string }{
		{"a ciphertext of another webhook", `UPDATE webhooks SET document = (SELECT document FROM webhooks WHERE organization_id = 'acme' AND id = 'wh_0000003')
			WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a ciphertext of the same webhook of another organization", `UPDATE webhooks SET document = (SELECT document FROM webhooks WHERE organization_id = 'other' AND id = 'wh_0000004')
			WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a row moved to another organization", `UPDATE webhooks SET organization_id = 'acme', id = 'wh_0000004x', created_at = created_at + 1
			WHERE organization_id = 'other' AND id = 'wh_0000004'`},
		{"a flipped bit", `UPDATE webhooks SET document = flip(document, 20) WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a flipped bit in the key's id", `UPDATE webhooks SET document = flip(document, 3) WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a flipped bit in the version", `UPDATE webhooks SET document = flip(document, 0) WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a ciphertext cut short", `UPDATE webhooks SET document = substr(document, 1, 20) WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"no ciphertext", `UPDATE webhooks SET document = x'' WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
		{"a clear text", `UPDATE webhooks SET document = CAST('plain' AS BLOB) WHERE organization_id = 'acme' AND id = 'wh_0000004'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			restore := keepWebhooks(t, db)
			defer restore()
			logged := len(s.logged())
			result, err := db.ExecContext(t.Context(), tt.statement)
			check(t, err)
			if n, _ := result.RowsAffected(); n != 1 {
				t.Fatalf("changed %d rows", n)
			}
			_, err = c.ListWebhooks(t.Context(), "acme")
			var answer *client.Error
			if !errors.As(err, &answer) || answer.StatusCode != 500 {
				t.Fatalf("got %v, want a 500", err)
			}
			for _, content := range []string{"wh_", "sig", "hooks.example.com", "secret", "webhook \"", "decrypt", "key"} {
				if strings.Contains(string(answer.Body), content) {
					t.Errorf("the body says %q: %s", content, answer.Body)
				}
			}
			if record := s.logged()[logged:]; !strings.Contains(record, "wh_0000004") || !strings.Contains(record, "acme") ||
				!strings.Contains(record, answer.RequestID) || !strings.Contains(record, "level=ERROR") {
				t.Errorf("the log does not name the row: %s", record)
			}
		})
		if err := walk(t.Context(), c, "acme", 60); err != nil {
			t.Fatalf("after %s was undone: %v", tt.name, err)
		}
	}
}

// keepWebhooks copies the table and returns what puts it back.
func keepWebhooks(t *testing.T, db *sql.DB) (restore func()) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "CREATE TABLE kept AS SELECT * FROM webhooks")
	check(t, err)
	return func() {
		_, err := db.ExecContext(t.Context(), "BEGIN; DELETE FROM webhooks; INSERT INTO webhooks SELECT * FROM kept; DROP TABLE kept; COMMIT")
		check(t, err)
	}
}
