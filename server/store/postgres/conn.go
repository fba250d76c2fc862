package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/packhooks/packhooks/server/store"
)

// pool runs statements on whichever connection is free.
type pool struct {
	connections *pgxpool.Pool
	timeout     time.Duration
}

// bounded lets f work for as long as a statement may take.
func (p *pool) bounded(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, store.ErrUnavailable)
	defer cancel()
	return p.failure(ctx, f(ctx))
}

// Exec runs one statement.
func (p *pool) Exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = p.bounded(ctx, func(ctx context.Context) error {
		tag, err := p.connections.Exec(ctx, statement, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// ExecAll runs a statement with each list of parameters, in one round trip.
func (p *pool) ExecAll(ctx context.Context, statement string, args [][]any) error {
	batch := &pgx.Batch{}
	for _, a := range args {
		batch.Queue(statement, a...)
	}
	return p.bounded(ctx, func(ctx context.Context) error { return p.connections.SendBatch(ctx, batch).Close() })
}

// Query reads rows.
func (p *pool) Query(ctx context.Context, statement string, args []any, row func(func(...any) error) error) error {
	return p.bounded(ctx, func(ctx context.Context) error { return query(ctx, p.connections, statement, args, row) })
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

func query(ctx context.Context, q querier, statement string, args []any, row func(func(...any) error) error) error {
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// failure gives an error of PostgreSQL the identity that callers match: the caller's own cancellation, or
// store.ErrUnavailable where a retry may succeed. A timeout of ours is the latter.
func (p *pool) failure(ctx context.Context, err error) error {
	if err != nil && lost(err) {
		p.connections.Reset() // the others lead to the same server
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), store.ErrUnavailable):
		return fmt.Errorf("%w: no response within %v", store.ErrUnavailable, p.timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.Is(err, context.DeadlineExceeded), transient(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
