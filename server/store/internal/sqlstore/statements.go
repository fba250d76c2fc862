package sqlstore

import (
	"reflect"
	"strings"
)

// Statements is the SQL of an engine, with the parameters of each in order. Every statement on webhooks names one
// organization, NextOrganization excepted.
type Statements struct {
	// PageFrom and PageBefore read one page and what lies on its other side, in one statement and so as of one
	// moment. Organization, created_at, id, limit; returns whether there is anything on the other side, then the
	// columns of a webhook, null when the page is empty.
	PageFrom   string
	PageBefore string

	Delete string // organization, JSON array of ids; returns the ids that were there

	// An import stages into a table that only its connection sees, then merges.
	StageBegin  string // none
	Alike       string // organization, JSON array of Row; returns id and secret of those stored alike, but for the secret
	StageInsert string // JSON array of Row; returns the ids that were new
	StageEnd    string // none
	MergeBegin  string // none
	MergeRemove string // organization
	MergeUpsert string // organization
	Count       string // organization
	Lock        string // organization: keeps other writers of it out until the end of the transaction

	ClaimKeys  string // key check, for a database that has none
	KeyCheck   string // none
	Rotation   string // none
	HoldKeys   string // none; returns rotation, and holds it until the end of the transaction
	BeginKeys  string // none: another rotation
	RenewCheck string // key check

	NextOrganization string // organization; returns the one after it
	Secrets          string // organization, created_at, id, limit; returns created_at, id, secret
	SwapSecrets      string // organization, JSON array of swap

	CreateToken string // hash, id, name, organizations, created_at, expires_at
	FindToken   string // hash; returns id, organizations, expires_at, revoked_at
	ListTokens  string // none
	RevokeToken string // id, revoked_at
}

// Parse reads the statements of an engine. Each begins with a line "-- name: " and the name of a field; comments below
// that line are for readers. It panics on a name that is no field.
func Parse(text string) (s Statements) {
	for _, part := range strings.Split(text, "-- name: ")[1:] {
		name, statement, _ := strings.Cut(part, "\n")
		for strings.HasPrefix(statement, "--") {
			_, statement, _ = strings.Cut(statement, "\n")
		}
		reflect.ValueOf(&s).Elem().FieldByName(name).SetString(strings.TrimSpace(statement))
	}
	return s
}
