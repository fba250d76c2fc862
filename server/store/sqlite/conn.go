package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/store"
)

// pool keeps connections to a file, with the statements that were prepared on each. That of package sqlitex would start a
// goroutine for each use, which costs as much as a short query.
type pool struct {
	path string
	free chan *sqlite.Conn // nil for one that is not open yet
}

func newPool(path string) *pool {
	p := &pool{path, make(chan *sqlite.Conn, max(4, 2*runtime.NumCPU()))}
	for range cap(p.free) {
		p.free <- nil
	}
	return p
}

// readTimeout is how long a read waits for a lock, which readers need in rare moments only, such as a recovery.
const readTimeout = 250 * time.Millisecond

// busyTimeout is how long a writer waits for another one: longer than the merge of any import seen so far.
const busyTimeout = time.Minute

func (p *pool) connect() (*sqlite.Conn, error) {
	path, err := filepath.Abs(p.path) // as it is: SQLite gives some names a meaning
	if err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(readTimeout)
	return conn, errors.Join(
		sqlitex.ExecuteTransient(conn, "PRAGMA foreign_keys = on", nil),
		sqlitex.ExecuteTransient(conn, "PRAGMA journal_size_limit = 67108864", nil),
	)
}

func (p *pool) take(ctx context.Context) (conn *sqlite.Conn, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case conn = <-p.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if conn == nil {
		if conn, err = p.connect(); err != nil {
			p.put(nil)
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func (p *pool) put(conn *sqlite.Conn) { p.free <- conn }

func (p *pool) close() (err error) {
	for range cap(p.free) {
		if conn := <-p.free; conn != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	return err
}

// read lets f read. It ends by itself within moments, so nothing interrupts it.
func (p *pool) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	conn, err := p.take(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	defer p.put(conn)
	return failure(ctx, f(conn))
}

// write lets f write, in one transaction.
func (p *pool) write(ctx context.Context, f func(*sqlite.Conn) error) error {
	conn, err := p.take(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	defer p.put(conn)
	return transact(ctx, conn, func() error { return f(conn) })
}

// transact waits for other writers until the context ends or busyTimeout is over, and commits unless f fails.
func transact(ctx context.Context, conn *sqlite.Conn, f func() error) error {
	defer func() {
		conn.SetInterrupt(nil)
		conn.SetBusyTimeout(readTimeout)
		if !conn.AutocommitEnabled() {
			_ = sqlitex.Execute(conn, "ROLLBACK", nil)
		}
	}()
	waiting, cancel := context.WithTimeoutCause(ctx, busyTimeout, store.ErrUnavailable)
	defer cancel()
	conn.SetBlockOnBusy()
	conn.SetInterrupt(waiting.Done())
	if err := sqlitex.Execute(conn, "BEGIN IMMEDIATE", nil); err != nil {
		return failure(waiting, err)
	}
	conn.SetInterrupt(ctx.Done())
	if err := f(); err != nil {
		return failure(ctx, err)
	}
	if err := sqlitex.Execute(conn, "COMMIT", nil); err != nil {
		return failure(ctx, fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err))
	}
	return nil
}

// Exec runs one statement.
func (p *pool) Exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = p.write(ctx, func(conn *sqlite.Conn) error {
		changed, err = execute(conn, statement, args)
		return err
	})
	return changed, err
}

// ExecAll runs a statement with each list of parameters.
func (p *pool) ExecAll(ctx context.Context, statement string, args [][]any) error {
	return p.write(ctx, func(conn *sqlite.Conn) error {
		for _, a := range args {
			if _, err := execute(conn, statement, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// Query reads rows.
func (p *pool) Query(ctx context.Context, statement string, args []any, row func(func(...any) error) error) error {
	return p.read(ctx, func(conn *sqlite.Conn) error { return query(conn, statement, args, row) })
}

func execute(conn *sqlite.Conn, statement string, args []any) (changed int64, err error) {
	err = sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: args})
	return int64(conn.Changes()), err
}

func query(conn *sqlite.Conn, statement string, args []any, row func(func(...any) error) error) error {
	return sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: args, ResultFunc: func(stmt *sqlite.Stmt) error {
		return row(func(dest ...any) error {
			for i, d := range dest {
				switch d := d.(type) {
				case *int64:
					*d = stmt.ColumnInt64(i)
				case *string:
					*d = stmt.ColumnText(i)
				case *[]byte:
					*d = column(stmt, i)
				}
			}
			return nil
		})
	}})
}

func column(stmt *sqlite.Stmt, i int) []byte {
	b := make([]byte, stmt.ColumnLen(i))
	stmt.ColumnBytes(i, b)
	return b
}

// failure gives an error of SQLite the identity that callers match: the caller's own cancellation, or
// store.ErrUnavailable where a retry may succeed.
func failure(ctx context.Context, err error) error {
	switch code := sqlite.ErrCode(err).ToPrimary(); {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), store.ErrUnavailable):
		return fmt.Errorf("%w: another writer was at work for %v", store.ErrUnavailable, busyTimeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case slices.Contains(transient, code):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// transient are the results that another process or a full disk can cause.
var transient = []sqlite.ResultCode{
	sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultNoMem,
	sqlite.ResultProtocol,
}
