// Command packhooks serves Pack Cloud's webhook subscriptions API from a database of its own, fills that database,
// and reads any server of this API from a terminal.
//
//	packhooks serve --demo
//
// packhooks COMMAND --help is the reference of a command. The environment variable PACKHOOKS_NAME sets the default of
// --name, except for flags where a forgotten variable would be dangerous.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/schollz/progressbar/v3"

	"github.com/packhooks/packhooks/api"
	"github.com/packhooks/packhooks/server"
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the API from a database."`
	Import  importCmd  `cmd:"" help:"Add or update an organization's webhooks in one transaction."`
	Delete  deleteCmd  `cmd:"" help:"Remove webhooks of an organization in one transaction."`
	Token   tokenCmd   `cmd:"" help:"Create, list and revoke API tokens."`
	Keys    keysCmd    `cmd:"" help:"Manage the keyset that encrypts webhooks at rest."`
	Init    initCmd    `cmd:"" help:"Create an empty database for an existing keyset."`
	Migrate migrateCmd `cmd:"" help:"Migrate the database to this version."`
	List    listCmd    `cmd:"" help:"Print the webhooks of an organization, read from a server."`
	Export  exportCmd  `cmd:"" help:"Write the webhooks of an organization with their secrets, read from a server."`
	Check   checkCmd   `cmd:"" help:"Check a server against the contract."`
	Probe   probeCmd   `cmd:"" help:"Check whether a server on this machine is ready; for health checks."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Completion  kongcompletion.Completion `cmd:"" help:"Show how to enable completion in bash, zsh or fish."`
	VersionFlag kong.VersionFlag          `name:"version" env:"-" help:"Print the version."`
}

// terminal holds a command's standard streams. Program is the name it was called by, for printed commands.
type terminal struct {
	Program string
	In      io.Reader
	Out     io.Writer
	Err     io.Writer

	notes map[string]any // for the audit log
}

// progress returns a bar on standard error, invisible unless that is a terminal. A size of -1 is unknown.
func (t *terminal) progress(size int64, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(t.Err),
		progressbar.OptionSetVisibility(isTerminal(t.Err)),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // its goroutine reads without a lock
		progressbar.OptionClearOnFinish(),
	)
}

func main() {
	ctx := untilSignal()
	t := &terminal{Program: os.Args[0], In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(exitCode(os.Stderr, run(ctx, os.Args[1:], t)))
}

// untilSignal returns a context that the first signal cancels. The second signal ends the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(130) // 128 + SIGINT, as shells report it
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
		kong.Description("Server and tools for Pack Cloud's webhook subscriptions API."),
		kong.DefaultEnvars("PACKHOOKS"),
		kong.Writers(t.Out, t.Err),
		kong.Exit(func(int) { helped = true }), // called by --help and the like
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
		kong.WithAfterApply(checkLimits),
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
		return usage(err, "see %s --help", atFault(err))
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return audited(command, t)
}

// checkLimits holds the flags to what their tags say that they must. It rejects unusable values, such as a 0 that would
// silently mean the default or no limit.
func checkLimits(command *kong.Context) error {
	for _, flag := range command.Flags() {
		var n float64
		if value := flag.Target; value.CanInt() {
			n = float64(value.Int())
		} else if value.CanFloat() {
			n = value.Float()
		}
		rule := flag.Tag.Get("must")
		kept := map[string]bool{
			"": true, "be at least 1": n >= 1, "be above 0": n > 0, "not be negative": n >= 0, "not be 0; below 0 is no limit": n > 0 || n < 0,
		}
		if !kept[rule] {
			return fmt.Errorf("--%s must %s", flag.Name, rule)
		}
	}
	return nil
}

// atFault names the command whose arguments do not parse.
func atFault(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return "packhooks"
	}
	return cmp.Or(parse.Context.Selected(), parse.Context.Model.Node).FullPath()
}

type versionCmd struct{}

func (versionCmd) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.Out, versionLine())
	return err
}

func versionLine() string {
	return fmt.Sprintf("packhooks %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module version, or a pseudo-version made from the commit.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
