package main

import "fmt"

// limit is a rule for the value of a flag.
type limit struct {
	flag, rule string
	ok         bool
}

// checkLimits rejects unusable values, such as a 0 that would silently mean the default or no limit.
func checkLimits(limits ...limit) error {
	for _, l := range limits {
		if !l.ok {
			return fmt.Errorf("--%s must %s", l.flag, l.rule)
		}
	}
	return nil
}
