// Command handwritten lists webhooks the way a competent person writes it in an afternoon: echo, database/sql, plain
// columns, encoding/json. make bench measures Packhooks against it.
//
// It leaves out what Packhooks does besides: tokens, validation, sealing at rest, limits, request ids and the log.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	_ "modernc.org/sqlite" // the driver
)

type webhook struct {
	ID        string    `json:"id"`
	EventCode string    `json:"event_code,omitempty"`
	Endpoint  string    `json:"endpoint"`
	Secret    string    `json:"secret"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type page struct {
	Data  []webhook `json:"data"`
	Links struct {
		Prev *string `json:"prev"`
		Next *string `json:"next"`
	} `json:"links"`
	Meta struct {
		PerPage int `json:"per_page"`
	} `json:"meta"`
}

const schema = `CREATE TABLE IF NOT EXISTS webhooks (
  organization_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  event_code TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  secret TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, created_at, id)
) WITHOUT ROWID`

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	file := flag.String("db", "handwritten.db", "SQLite file")
	load := flag.String("load", "", "NDJSON of webhooks to insert first, each with its organization_id")
	flag.Parse()
	if err := run(*listen, *file, *load); err != nil {
		fmt.Fprintln(os.Stderr, "handwritten:", err)
		os.Exit(1)
	}
}

func run(listen, file, load string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	// By default two connections are kept, and under load others would be opened and closed all the time.
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if _, err := db.Exec(schema); err != nil {
		return err
	}
	if load != "" {
		if err := insert(db, load); err != nil {
			return err
		}
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/v1/organizations/:organization/webhooks", server{db, "http://" + listen}.list)
	return e.Start(listen)
}

func insert(db *sql.DB, load string) error {
	f, err := os.Open(load)
	if err != nil {
		return err
	}
	defer f.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var row struct {
			OrganizationID string `json:"organization_id"`
			webhook
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, row.OrganizationID, row.CreatedAt.UnixMicro(),
			row.ID, row.EventCode, row.Endpoint, row.Secret, row.Enabled, row.UpdatedAt.UnixMicro())
		if err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), tx.Commit())
}

type server struct {
	db  *sql.DB
	url string
}

// cursor is a place beside a webhook; back asks for the page before it.
type cursor struct {
	back      bool
	createdAt int64
	id        string
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%t %d %s", c.back, c.createdAt, c.id))
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, err
	}
	fields := strings.SplitN(string(b), " ", 3)
	if len(fields) != 3 {
		return c, errors.New("malformed cursor")
	}
	c.back, c.id = fields[0] == "true", fields[2]
	c.createdAt, err = strconv.ParseInt(fields[1], 10, 64)
	return c, err
}

func (s server) list(c echo.Context) error {
	perPage := 25
	if text := c.QueryParam("per_page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return echo.NewHTTPError(http.StatusBadRequest, "invalid per_page")
		}
		perPage = n
	}
	at, err := parseCursor(c.QueryParam("cursor"))
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest, "invalid cursor")
	}
	organization := c.Param("organization")
	webhooks, err := s.read(c.Request().Context(), organization, at, perPage+1)
	if err != nil {
		return err
	}
	more := len(webhooks) > perPage
	webhooks = webhooks[:min(perPage, len(webhooks))]
	if at.back {
		slices.Reverse(webhooks)
	}
	result := page{Data: webhooks}
	result.Meta.PerPage = perPage
	// A page that was reached by a cursor has a neighbor where that came from, so one query is enough.
	if n := len(webhooks); n > 0 {
		if more && at.back || at.id != "" && !at.back {
			result.Links.Prev = s.link(organization, perPage, cursor{true, webhooks[0].CreatedAt.UnixMicro(), webhooks[0].ID})
		}
		if more || at.back {
			result.Links.Next = s.link(organization, perPage, cursor{false, webhooks[n-1].CreatedAt.UnixMicro(), webhooks[n-1].ID})
		}
	}
	return c.JSON(http.StatusOK, result)
}

func (s server) read(ctx context.Context, organization string, at cursor, limit int) ([]webhook, error) {
	query := `SELECT id, event_code, endpoint, secret, enabled, created_at, updated_at FROM webhooks
		WHERE organization_id = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`
	if at.back {
		query = `SELECT id, event_code, endpoint, secret, enabled, created_at, updated_at FROM webhooks
		WHERE organization_id = ? AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`
	}
	rows, err := s.db.QueryContext(ctx, query, organization, at.createdAt, at.id, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	webhooks := make([]webhook, 0, limit)
	for rows.Next() {
		var w webhook
		var createdAt, updatedAt int64
		if err := rows.Scan(&w.ID, &w.EventCode, &w.Endpoint, &w.Secret, &w.Enabled, &createdAt, &updatedAt); err != nil {
			return nil, err
		}
		w.CreatedAt, w.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt).UTC()
		webhooks = append(webhooks, w)
	}
	return webhooks, rows.Err()
}

func (s server) link(organization string, perPage int, c cursor) *string {
	link := fmt.Sprintf("%s/v1/organizations/%s/webhooks?cursor=%s&per_page=%d", s.url, url.PathEscape(organization), c, perPage)
	return &link
}
