package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/packhooks/packhooks/server/store"
	"github.com/packhooks/packhooks/server/store/internal/engine"
)

const (
	// readTimeout is how long a read waits for a lock, which readers need in rare moments only, such as a recovery.
	readTimeout = 250 * time.Millisecond

	// busyTimeout is how long a writer waits for another one: longer than the merge of any import seen so far.
	busyTimeout = time.Minute
)

// pool keeps connections to a file, with the statements that were prepared on each. That of package sqlitex would start a
// goroutine for each use, which costs as much as a short query.
type pool struct {
	path     string
	free     chan conn // a zero one is not open yet
	open     atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64 // nanoseconds
}

func newPool(path string) *pool {
	p := &pool{path: path, free: make(chan conn, max(4, 2*runtime.NumCPU()))}
	for range cap(p.free) {
		p.free <- conn{}
	}
	return p
}

func (p *pool) status(name string) store.Pool {
	return store.Pool{
		Name: name, Max: cap(p.free), Open: int(p.open.Load()), InUse: cap(p.free) - len(p.free),
		Waits: p.waits.Load(), WaitTime: time.Duration(p.waitTime.Load()),
	}
}

func (p *pool) close() (err error) {
	for range cap(p.free) {
		if c := <-p.free; c.Conn != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// connect opens a file.
func connect(path string) (conn, error) {
	path, err := filepath.Abs(path) // SQLite gives some relative names a meaning
	if err != nil {
		return conn{}, err
	}
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	// Two connections that switch a new file to WAL at once could wait for each other: SQLite fails one instead.
	for end := time.Now().Add(time.Second); sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		c, err = sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	}
	if err != nil {
		return conn{}, err
	}
	c.SetBusyTimeout(readTimeout)
	err = errors.Join(
		sqlitex.ExecuteTransient(c, "PRAGMA foreign_keys = on", nil),             // of tables that others add
		sqlitex.ExecuteTransient(c, "PRAGMA journal_size_limit = 67108864", nil), // what an import leaves behind
	)
	if err != nil {
		return conn{}, errors.Join(err, c.Close())
	}
	return conn{c}, nil
}

// use calls f with a free connection.
func (p *pool) use(ctx context.Context, f func(conn) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c conn
	select {
	case c = <-p.free:
	default:
		start := time.Now()
		p.waits.Add(1)
		select {
		case c = <-p.free:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.waitTime.Add(int64(time.Since(start)))
		if err != nil {
			return err
		}
	}
	defer func() { p.free <- c }()
	if c.Conn == nil {
		if c, err = connect(p.path); err != nil {
			return failure(ctx, err)
		}
		p.open.Add(1)
	}
	err = f(c)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultIOErr { // such as a truncated -shm: a new connection maps it again
		_ = c.Close()
		c = conn{}
		p.open.Add(-1)
	}
	return err
}

func (p *pool) Exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = p.Transact(ctx, "", func(c engine.Conn) error {
		changed, err = c.Exec(ctx, statement, args...)
		return err
	})
	return changed, err
}

// Query is short, so it is not interrupted.
func (p *pool) Query(ctx context.Context, statement string, args []any, row func(engine.Scan) error) error {
	return p.use(ctx, func(c conn) error { return c.Query(ctx, statement, args, row) })
}

// Transact keeps out the writers of every organization.
func (p *pool) Transact(ctx context.Context, organizationID string, f func(engine.Conn) error) error {
	return p.use(ctx, func(c conn) error { return c.Transact(ctx, organizationID, f) })
}

type conn struct{ *sqlite.Conn }

// wait lets statements wait for locks until the context ends, and returns what ends this and any transaction.
func (c conn) wait(ctx context.Context) (end func()) {
	c.SetBlockOnBusy()
	c.SetInterrupt(ctx.Done())
	return func() {
		c.SetInterrupt(nil)
		c.SetBusyTimeout(readTimeout)
		if !c.AutocommitEnabled() {
			_ = sqlitex.Execute(c.Conn, "ROLLBACK", nil)
		}
	}
}

// Transact waits for other writers until the context ends or busyTimeout is over.
func (c conn) Transact(ctx context.Context, _ string, f func(engine.Conn) error) error {
	waiting, cancel := context.WithTimeoutCause(ctx, busyTimeout, store.ErrUnavailable)
	defer cancel()
	defer c.wait(waiting)()
	if _, err := c.Exec(waiting, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	c.SetInterrupt(ctx.Done())
	if err := f(c); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
	}
	return nil
}

func (c conn) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	err := c.Query(ctx, statement, args, nil)
	return int64(c.Changes()), err
}

func (c conn) Query(ctx context.Context, statement string, args []any, row func(engine.Scan) error) error {
	stmt, err := c.Prepare(statement)
	if err != nil {
		return failure(ctx, err)
	}
	defer func() { _ = stmt.Reset() }() // repeats the error of Step
	for i, arg := range args {
		switch arg := arg.(type) {
		case int64:
			stmt.BindInt64(i+1, arg)
		case string:
			stmt.BindText(i+1, arg)
		case []byte:
			stmt.BindBytes(i+1, arg)
		}
	}
	scan := func(columns ...any) error { return readColumns(stmt, columns) }
	for {
		if more, err := stmt.Step(); err != nil || !more {
			return failure(ctx, err)
		}
		if err := row(scan); err != nil {
			return err
		}
	}
}

func readColumns(stmt *sqlite.Stmt, columns []any) error {
	for i, column := range columns {
		switch column := column.(type) {
		case *int64:
			*column = stmt.ColumnInt64(i)
		case *string:
			*column = stmt.ColumnText(i)
		case *[]byte:
			if stmt.ColumnIsNull(i) {
				*column = nil
				continue
			}
			n := stmt.ColumnLen(i)
			*column = slices.Grow((*column)[:0], n)[:n]
			stmt.ColumnBytes(i, *column)
		}
	}
	return nil
}

// failure gives an error of SQLite the identity that callers match: the caller's own cancellation, or
// store.ErrUnavailable where a retry may succeed.
func failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), store.ErrUnavailable):
		return fmt.Errorf("%w: another writer held the lock for %v", store.ErrUnavailable, busyTimeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultNoMem,
		sqlite.ResultProtocol: // another process or a full disk can cause them
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
