package main

import (
	"bytes"
	"sync"
)

// Main is what the tests' child processes run.
var Main = main

// ExitCode is what Main ends with.
var ExitCode = exitCode

var theContract = sync.OnceValues(func() (*contract, error) { return loadContract() })

// ReadRows reads an import as far as it is good and returns the number of webhooks.
func ReadRows(input []byte, whole bool) (int, error) {
	c, err := theContract()
	if err != nil {
		return 0, err
	}
	rows, err := c.readRows(bytes.NewReader(input), whole)
	if err != nil {
		return 0, err
	}
	n := 0
	err = rows(func(r row) error {
		_, err := c.storeWebhook(r.data)
		n++
		return err
	})
	return n, err
}
