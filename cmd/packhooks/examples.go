package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// examples are shown by --help. A test parses them.
var examples = map[string]string{
	"serve":          "packhooks serve --demo\npackhooks serve --db packhooks.db --listen 127.0.0.1:8080",
	"import":         "packhooks import --org acme webhooks.json\npackhooks export --org acme --url https://old.example.com/v1 | packhooks import --org acme -",
	"delete":         "packhooks delete --org acme wh_000001 wh_000002",
	"token create":   "packhooks token create --org acme --name ci --expires 90d\nexport PACKHOOKS_TOKEN=$(packhooks token create --org acme)",
	"token list":     "packhooks token list\npackhooks token list --json",
	"token revoke":   "packhooks token revoke ID",
	"keys init":      "packhooks keys init --keyset-file packhooks.keyset",
	"keys add":       "packhooks keys add --keyset-file packhooks.keyset",
	"keys promote":   "packhooks keys promote 1234567890 --keyset-file packhooks.keyset",
	"keys reencrypt": "packhooks keys reencrypt --db packhooks.db",
	"keys list":      "packhooks keys list\npackhooks keys list --json",
	"keys disable":   "packhooks keys disable 1234567890",
	"keys enable":    "packhooks keys enable 1234567890",
	"keys remove":    "packhooks keys remove 1234567890 --db packhooks.db",
	"init":           "packhooks init --db postgres://packhooks@db.example.com/packhooks?sslmode=verify-full --keyset-file packhooks.keyset",
	"migrate":        "packhooks migrate --db packhooks.db",
	"list":           "packhooks list --org acme --limit 10\npackhooks list --org acme --output json",
	"export":         "packhooks export --org acme > webhooks.ndjson",
	"check":          "packhooks check --url https://api.pack.cloud/v1 --org acme",
	"probe":          "packhooks probe --ops-listen 127.0.0.1:8081",
	"version":        "packhooks version",
	"completion":     "source <(packhooks completion --code bash)\nsource <(packhooks completion --code zsh)\npackhooks completion --code fish | source",
}

// addExamples appends each command's examples to its help.
func addExamples(app *kong.Application) {
	for _, command := range app.Leaves(false) {
		indented := "Examples:\n\n  " + strings.ReplaceAll(examples[command.Path()], "\n", "\n  ")
		command.Detail = strings.TrimSpace(command.Detail + "\n\n" + indented)
	}
}
