package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoSecretIsLeftLyingAround(t *testing.T) {
	p := newPlace(t)
	const secret = "Zq7-the-signing-secret"
	p.must(bad("q9NhjkjV9o", secret), "import", "--org", "acme", "-")
	token := strings.TrimSpace(p.must("", "token", "create", "--org", "acme"))
	d := p.serve("--log-level=debug")
	p = p.with("PACKHOOKS_TOKEN="+token, "PACKHOOKS_URL="+d.url)
	if !strings.Contains(p.must("", "export", "--org", "acme"), secret) {
		t.Fatal("no secret in the export")
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "packhooks.db*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	contents := map[string][]byte{"the log": []byte(d.logged())}
	for _, file := range files {
		if contents[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range contents {
		if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, []byte(token)) {
			t.Errorf("%s holds a secret", name)
		}
	}
}
