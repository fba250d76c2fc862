package store_test

import (
	"strings"
	"testing"

	"github.com/packhooks/packhooks/server/store"
)

func TestTokens(t *testing.T) {
	token := store.NewToken()
	if len(token) != 52 || !strings.HasPrefix(token, store.TokenPrefix) || token == store.NewToken() {
		t.Fatal("a token without its form, or the same one twice")
	}
	hash, ok := store.HashToken(token)
	if again, _ := store.HashToken(token); !ok || hash != again || hash == (store.TokenHash{}) {
		t.Fatal("a token is not known again")
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range token { // whichever character is mistyped
		for _, c := range alphabet {
			typo := token[:i] + string(c) + token[i+1:]
			if _, ok := store.HashToken(typo); ok && typo != token {
				t.Fatalf("character %d may be %q", i, c)
			}
		}
	}
	for _, text := range []string{"", store.TokenPrefix, token[:51], token + "A", token + "=", " " + token, token + "\n", strings.ToUpper(token)} {
		if _, ok := store.HashToken(text); ok {
			t.Errorf("%d characters that are no token", len(text))
		}
	}
}
