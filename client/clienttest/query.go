package clienttest

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	packhooks "github.com/packhooks/packhooks/client"
	"github.com/packhooks/packhooks/client/internal/clientapi"
)

const defaultPerPage = 25

var perPage = regexp.MustCompile(`^([1-9][0-9]?|100)$`)

// A query is what the parameters of a request ask for. A zero cursor is the first page.
type query struct {
	cursor  cursor
	perPage int32
}

// parse reads the parameters strictly: what is not declared, comes twice or is malformed is a fault.
func parse(raw, organization string) (q query, faults []clientapi.ParameterError) {
	fault := func(parameter, format string, args ...any) {
		faults = append(faults, clientapi.ParameterError{Parameter: parameter, Detail: fmt.Sprintf(format, args...)})
	}
	if !organizationID.MatchString(organization) {
		fault("organizationId", "must be 1 to 128 unreserved characters, the first not a dot")
	}
	q.perPage = defaultPerPage
	seen := map[string]bool{}
	for part := range strings.SplitSeq(raw, "&") {
		if raw == "" {
			break
		}
		name, value, ok := pair(part)
		switch {
		case !ok:
			fault(name, "is malformed")
		case seen[name]:
			fault(name, "must not be repeated")
		case name == "per_page" && perPage.MatchString(value):
			n, _ := strconv.Atoi(value)
			q.perPage = int32(n)
		case name == "per_page":
			fault(name, "must be an integer from 1 to 100")
		case name == "cursor":
			if q.cursor, ok = decode(value, organization); !ok {
				fault(name, "is not a cursor of this organization's list")
			}
		default:
			fault(name, "is not declared; allowed are cursor and per_page")
		}
		seen[name] = true
	}
	return q, faults
}

func pair(part string) (name, value string, ok bool) {
	rawName, rawValue, _ := strings.Cut(part, "=")
	name, err := url.QueryUnescape(rawName)
	if err != nil {
		return rawName, "", false
	}
	value, err = url.QueryUnescape(rawValue)
	return name, value, err == nil && !strings.Contains(part, ";")
}

// page cuts out of the whole list what q asks for. prev and next are nil where nothing is.
func (q query) page(list []packhooks.Webhook) (page []packhooks.Webhook, prev, next *cursor) {
	from, to := q.cursor.bounds(list, int(q.perPage))
	page = list[from:to]
	if from > 0 {
		prev = &cursor{seek: before, position: q.cursor.position}
		if len(page) > 0 {
			prev.position = positionOf(page[0])
		} else if q.cursor.seek == after {
			prev.seek = upTo
		}
	}
	if to < len(list) {
		next = &cursor{seek: after, position: q.cursor.position}
		if len(page) > 0 {
			next.position = positionOf(page[len(page)-1])
		} else if q.cursor.seek == before {
			next.seek = onward
		}
	}
	return page, prev, next
}
