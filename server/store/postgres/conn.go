package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

// conn runs statements on a pool or in a transaction.
type conn struct {
	runner  runner
	pool    *pgxpool.Pool
	timeout time.Duration // of what goes through bounded; 0 for none
	tx      pgx.Tx        // of an import; nil elsewhere
}

type runner interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

// bounded runs f with the statement timeout.
func (c conn) bounded(ctx context.Context, f func(context.Context) error) error {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, store.ErrUnavailable)
		defer cancel()
	}
	return c.failure(ctx, f(ctx))
}

func (c conn) Exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = c.bounded(ctx, func(ctx context.Context) error {
		tag, err := c.runner.Exec(ctx, statement, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

func (c conn) Query(ctx context.Context, statement string, args []any, row func(engine.Scan) error) error {
	return c.bounded(ctx, func(ctx context.Context) error {
		rows, err := c.runner.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		scan := rows.Scan
		if fields := rows.FieldDescriptions(); len(fields) > 0 && fields[0].Format == pgx.BinaryFormatCode {
			scan = func(columns ...any) error { return scanBinary(rows.RawValues(), columns) }
		}
		for rows.Next() {
			if err := row(scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// scanBinary is a faster Scan for the types of an engine.Scan: a page costs about a twentieth less. Bytes go into the
// array that the column has, if that is large enough.
func scanBinary(row [][]byte, columns []any) error {
	for i, raw := range row {
		switch column := columns[i].(type) {
		case *string:
			*column = string(raw)
		case *[]byte:
			if *column = append((*column)[:0], raw...); raw == nil {
				*column = nil
			}
		case *int64:
			switch len(raw) {
			case 8:
				*column = int64(binary.BigEndian.Uint64(raw))
			case 4:
				*column = int64(int32(binary.BigEndian.Uint32(raw)))
			default:
				return fmt.Errorf("an integer of %d bytes", len(raw))
			}
		}
	}
	return nil
}

// Transact takes an advisory lock for the organization.
func (c conn) Transact(ctx context.Context, organizationID string, f func(engine.Conn) error) error {
	return c.bounded(ctx, func(ctx context.Context) (err error) {
		tx := c.tx
		if tx == nil {
			if tx, err = c.pool.Begin(ctx); err != nil {
				return err
			}
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		in := conn{runner: tx, pool: c.pool}
		if organizationID != "" {
			_, err = in.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('packhooks ' || $1, 0))`, organizationID)
		}
		if err == nil {
			err = f(in)
		}
		if err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, c.failure(ctx, err))
		}
		return nil
	})
}

// canceler asks the server to stop a statement, and drops the connection if it does not stop within a second. Unlike
// pgx's handler it never abandons the request: PgBouncer 1.18 would exit.
type canceler struct {
	conn *pgconn.PgConn
	done chan struct{}
}

func (c *canceler) HandleCancel(context.Context) {
	deadline := time.Now().Add(time.Second)
	_ = c.conn.Conn().SetDeadline(deadline)
	c.done = make(chan struct{})
	go func() { //nolint:gosec // the statement's context has ended
		defer close(c.done)
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		_ = c.conn.CancelRequest(ctx)
	}()
}

func (c *canceler) HandleUnwatchAfterCancel() {
	<-c.done
	_ = c.conn.Conn().SetDeadline(time.Time{})
}

// failure gives an error of PostgreSQL the identity that callers match: the caller's own cancellation, or
// store.ErrUnavailable where a retry may succeed. A timeout of ours is the latter.
func (c conn) failure(ctx context.Context, err error) error {
	if err != nil && lost(err) {
		c.pool.Reset() // the other connections are to the same server
	}
	switch {
	case err == nil || errors.Is(err, store.ErrUnavailable):
		return err
	case errors.Is(context.Cause(ctx), store.ErrUnavailable):
		return fmt.Errorf("%w: no response within %v", store.ErrUnavailable, c.timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.Is(err, context.DeadlineExceeded), transient(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// transientClasses are prefixes of SQLSTATEs where a retry may succeed.
var transientClasses = []string{
	"08",    // connection failures, including those of a pooler
	"28",    // credentials or access rules are being changed
	"3D000", // the database is being restored
	"53",    // too many connections, disk full
	"57P",   // shutdown, start-up, a dropped database
	"57014", // statement timeout; our own cancellation is handled before
	"58",    // I/O errors
	"25006", // read-only: a standby or demoted primary
	"40",    // deadlock, serialization
	"55P03", // lock timeout
}

func transient(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.ContainsFunc(transientClasses, func(class string) bool { return strings.HasPrefix(pg.Code, class) })
	}
	return lost(err)
}

// lost reports whether a connection failed or is to a server that is no longer the primary.
func lost(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "25006" || strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
