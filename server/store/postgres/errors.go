package postgres

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// transientClasses are the beginnings of the SQLSTATEs that may pass by themselves.
var transientClasses = []string{
	"08",    // connection trouble; a pooler's own errors too
	"28",    // the password or who may connect is being changed
	"3D000", // the database is being restored
	"53",    // too many connections, disk full
	"57P",   // shutdown, start-up, a dropped database
	"57014", // canceled: by a timeout, as our own cancellation is told apart before
	"58",    // trouble with the disk
	"25006", // read-only: a standby, or a primary that was demoted
	"40",    // deadlock, serialization
	"55P03", // lock timeout
}

func transient(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		for _, class := range transientClasses {
			if strings.HasPrefix(pg.Code, class) {
				return true
			}
		}
		return false
	}
	return lost(err)
}

// lost reports whether a connection was lost or leads to a server that no longer is the one to talk to.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "25006" || strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
