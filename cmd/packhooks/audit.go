package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/alecthomas/kong"
)

// auditedCommands change something; each run adds a line to the audit log.
var auditedCommands = []string{
	"import", "delete", "token create", "token revoke", "keys init", "keys add", "keys promote", "keys disable", "keys enable", "keys remove",
	"keys reencrypt", "init", "migrate",
}

// auditRecord is a line of the audit log. It holds no token, no signing secret and no password.
type auditRecord struct {
	Time     time.Time      `json:"time"`
	Command  string         `json:"command"`
	User     string         `json:"user"`
	SudoUser string         `json:"sudo_user,omitempty"`
	Host     string         `json:"host"`
	PID      int            `json:"pid"`
	Database string         `json:"database"`
	Details  map[string]any `json:"details,omitempty"`
	Outcome  string         `json:"outcome"`
	Error    string         `json:"error,omitempty"`
}

// note adds pairs of name and value to the audit record of the command.
func (t *terminal) note(pairs ...any) {
	if t.notes == nil {
		t.notes = map[string]any{}
	}
	for pair := range slices.Chunk(pairs, 2) {
		t.notes[pair[0].(string)] = pair[1]
	}
}

// audited runs a command and records it in the audit log. It does not run a command that it cannot record.
func audited(command *kong.Context, t *terminal) error {
	target, ok := command.Selected().Target.Addr().Interface().(interface{ place() *location })
	if !ok || !slices.Contains(auditedCommands, command.Selected().Path()) {
		return command.Run(t)
	}
	l := target.place()
	log, err := l.openAuditLog(t)
	if err != nil {
		return hint(fmt.Errorf("opening audit log: %w", err), "choose another file with --audit-log")
	}
	failed := command.Run(t)
	if log == nil { // the command may have created the database
		if log, err = l.openAuditLog(t); log == nil {
			return errors.Join(failed, err)
		}
	}
	defer func() { _ = log.Close() }()
	r := newAuditRecord(command.Selected().Path(), l.describe(), t.notes, failed)
	if err := json.NewEncoder(log).Encode(r); err != nil {
		return errors.Join(failed, fmt.Errorf("the command finished but was not recorded in the audit log: %w", err))
	}
	return failed
}

func newAuditRecord(command, database string, details map[string]any, failed error) auditRecord {
	r := auditRecord{
		Time: time.Now().UTC(), Command: command, User: fmt.Sprint("uid ", os.Getuid()), SudoUser: os.Getenv("SUDO_USER"), PID: os.Getpid(),
		Database: database, Details: details, Outcome: "ok",
	}
	if u, err := user.Current(); err == nil {
		r.User = u.Username
	}
	r.Host, _ = os.Hostname()
	if failed != nil {
		r.Outcome, r.Error = "failed", failed.Error()
	}
	if errors.Is(failed, context.Canceled) {
		r.Outcome = "interrupted"
	}
	return r
}

func (l *location) place() *location { return l }

// openAuditLog returns nil if the log belongs next to a database that does not exist yet.
func (l *location) openAuditLog(t *terminal) (io.WriteCloser, error) {
	switch {
	case l.AuditLog == "-":
		return nopCloser{t.Err}, nil
	case l.AuditLog == "" && !l.beside():
		return nil, nil
	}
	f, err := os.OpenFile(cmp.Or(l.AuditLog, l.DB+".audit"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (l *location) beside() bool {
	info, err := os.Stat(l.DB)
	return !l.postgres() && err == nil && info.Mode().IsRegular()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// describe names the database without user and password.
func (l *location) describe() string {
	if !l.postgres() {
		return l.DB
	}
	u, err := url.Parse(l.DB)
	if err != nil {
		return "postgres"
	}
	return "postgres://" + u.Host + u.Path
}
