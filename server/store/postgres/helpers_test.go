package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packhooks/packhooks/server/store/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func execute(t testing.TB, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statements)
	check(t, err)
}
