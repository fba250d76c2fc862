package main

import "fmt"

// limit is a rule for the number that a flag takes, and whether it is kept.
type limit struct {
	flag, rule string
	ok         bool
}

// checkLimits refuses zeros that would quietly be the default or no limit at all, and what no server could work with.
func checkLimits(limits ...limit) error {
	for _, l := range limits {
		if !l.ok {
			return fmt.Errorf("--%s must %s", l.flag, l.rule)
		}
	}
	return nil
}
