//go:build unix

package conformance_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packhooks/packhooks/server/store/keyset"
	"github.com/packhooks/packhooks/server/store/postgres"
	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

func TestOurServerConformsOnPostgreSQL(t *testing.T) {
	if !postgrestest.Available() {
		t.Log("PostgreSQL is not installed: this test did not run")
		if os.Getenv(postgrestest.RequireVariable) != "" {
			t.Fail()
		}
		return
	}
	keys, err := keyset.Create(filepath.Join(t.TempDir(), "keyset"))
	check(t, err)
	db, err := postgres.Open(t.Context(), postgrestest.Start(t).DSN(t), keys, postgres.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	mustConform(t, runOn(t, db))
}
