package main

import (
	"bytes"

	"github.com/packhooks/packhooks/server/document"
)

// Main is what the tests' child processes run.
var Main = main

// ExitCode is what Main ends with.
var ExitCode = exitCode

// ReadRows reads an import as far as it is good and returns the number of webhooks.
func ReadRows(input []byte, whole bool) (int, error) {
	c, err := document.Embedded()
	if err != nil {
		return 0, err
	}
	rows, err := readRows(c, bytes.NewReader(input), whole)
	if err != nil {
		return 0, err
	}
	n := 0
	err = rows(func(r row) error {
		_, _, err := c.Parse(r.data)
		n++
		return err
	})
	return n, err
}

// Examples are what --help shows of each command.
var Examples = examples

// Styled colors text for a terminal.
var Styled = styled
