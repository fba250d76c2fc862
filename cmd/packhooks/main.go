// Command packhooks serves Pack Cloud's webhook subscriptions API from a database of its own, fills that database,
// and reads any server of this API from a terminal.
//
//	packhooks serve --demo
//
// Each command is one file of this folder; packhooks COMMAND --help is the reference. Every flag has an environment
// default, PACKHOOKS_ and its name, but for those that a forgotten variable would make dangerous.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/server"
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the API from a database."`
	Import  importCmd  `cmd:"" help:"Add or update webhooks of an organization, all or none."`
	Delete  deleteCmd  `cmd:"" help:"Remove webhooks of an organization, all or none."`
	Token   tokenCmd   `cmd:"" help:"Create, list and revoke the tokens that read organizations."`
	Keys    keysCmd    `cmd:"" help:"Manage the keyset that seals signing secrets at rest."`
	Init    initCmd    `cmd:"" help:"Begin a new, empty database for a keyset that exists."`
	Migrate migrateCmd `cmd:"" help:"Bring the tables of a database up to date."`
	List    listCmd    `cmd:"" help:"Print the webhooks of an organization, read from a server."`
	Export  exportCmd  `cmd:"" help:"Write the webhooks of an organization with their secrets, read from a server."`
	Check   checkCmd   `cmd:"" help:"Hold any server of this API to the contract."`
	Probe   probeCmd   `cmd:"" help:"Ask a server on this machine whether it is ready; for health checks."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Completion  kongcompletion.Completion `cmd:"" help:"Show how to turn on completion in bash, zsh or fish."`
	VersionFlag kong.VersionFlag          `name:"version" env:"-" help:"Print the version."`
}

// terminal is what a command reads from and writes to. Program is the name that it was called by, for the lines
// that it prints to be pasted.
type terminal struct {
	Program string
	In      io.Reader
	Out     io.Writer
	Err     io.Writer

	notes map[string]any // of the audit log
}

func main() {
	ctx := untilSignal()
	t := &terminal{Program: os.Args[0], In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(exitCode(os.Stderr, run(ctx, os.Args[1:], t)))
}

// untilSignal returns a context that the first signal ends. The second one ends the process, however soon it comes.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(130) // as a shell says of a program that was interrupted
	}()
	return ctx
}

func run(ctx context.Context, args []string, t *terminal) error {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	listing, err := api.LoadListing()
	if err != nil {
		return err
	}
	helped := false
	parser, err := kong.New(&cli{},
		kong.Name("packhooks"),
		kong.Description("Pack Cloud's webhook subscriptions API: a server, and the tools around it."),
		kong.DefaultEnvars("PACKHOOKS"),
		kong.Writers(t.Out, t.Err),
		kong.Exit(func(int) { helped = true }), // by what prints and is done, such as --help
		kong.Vars{
			"base_path":       server.DefaultBasePath,
			"largest_page":    fmt.Sprint(*listing.Size.Max),
			"version":         versionLine(),
			"rate":            fmt.Sprint(server.DefaultRatePerSecond),
			"rate_burst":      fmt.Sprint(server.DefaultRateBurst),
			"max_in_flight":   fmt.Sprint(server.DefaultMaxInFlight),
			"max_in_hand":     fmt.Sprint(server.DefaultMaxBytesInHand),
			"request_timeout": server.DefaultRequestTimeout.String(),
		},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return err
	}
	addExamples(parser.Model)
	if kongcompletion.Register(parser); helped {
		return nil
	}
	command, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return usage(err, "%s --help shows what is expected", atFault(err))
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return audited(command, t)
}

// atFault is the command, as far as it was recognized, whose command line does not parse.
func atFault(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return "packhooks"
	}
	node := parse.Context.Model.Node
	for _, p := range parse.Context.Path {
		node = cmp.Or(p.Command, node)
	}
	return node.FullPath()
}
