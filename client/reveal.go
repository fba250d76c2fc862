package packhooks

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// RevealJSON returns w as JSON with the plain text of its secrets, which json.Marshal masks: to store webhooks where
// secrets may be. json.Unmarshal reads the result into a Webhook.
func (w Webhook) RevealJSON() ([]byte, error) {
	var out bytes.Buffer
	for _, f := range webhookFields {
		v := reflect.ValueOf(w).Field(f.index)
		if !f.required && v.IsZero() {
			continue
		}
		value := v.Interface()
		if secret, ok := value.(Secret); ok {
			value = secret.Reveal()
		}
		text, err := json.Marshal(map[string]any{f.name: value})
		if err != nil {
			return nil, err
		}
		out.WriteByte(',')
		out.Write(text[1 : len(text)-1])
	}
	out.WriteByte('}')
	out.Bytes()[0] = '{'
	return out.Bytes(), nil
}
