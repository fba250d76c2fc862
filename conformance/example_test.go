package conformance_test

import (
	"testing"

	"github.com/packhooks/packhooks/conformance"
)

// A server of one's own, started by its test. Each check is a subtest; Strict would let our decisions count as well.
func ExampleTest() {
	var t *testing.T // the test's own
	var url = "http://127.0.0.1:8080/v1"
	conformance.Test(t, url, conformance.Config{Organization: "acme", Token: "a-token-of-the-test"})
}
