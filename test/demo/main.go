// Command demo shows a whole rollout in about a minute and a half: a real control plane, a real Prometheus and the real
// manager, a simulated CRM, eight sites in two waves, and one site that is held at its gate until somebody cleans its
// data. It ends by itself, and fails unless the objects say what the scenario promised.
//
// KEEP=1 leaves everything running until Ctrl-C. CLUSTER=kubeconfig uses the current context of that file in place of a
// control plane of its own, and removes in the end what it made there; with KEEP=1 it says how to remove it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/crmsim"
)

const (
	// troubled is the site whose data the scenario leaves incomplete.
	troubled = "lyon"
	// lookInterval is how often the objects are looked at.
	lookInterval = 200 * time.Millisecond
	// endsWithin is when the demonstration gives up. It takes about a minute and a half on an idle machine.
	endsWithin = 10 * time.Minute
)

func main() {
	// The libraries below log through this; what they say of interest comes back as errors.
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	guest := Guest{Kubeconfig: os.Getenv("CLUSTER"), Keep: os.Getenv("KEEP") == "1"}
	if err := run(ctx, NewScreen(os.Stdout), guest); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, screen *Screen, guest Guest) (failed error) {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "crm-demo-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	stage := &Stage{root: root, dir: dir, screen: screen, guest: guest}
	defer func() {
		failed = errors.Join(failed, stage.Strike())
		if guest.Keep {
			screen.Say("Everything has ended. What it wrote is kept in " + dir)
			return
		}
		failed = errors.Join(failed, os.RemoveAll(dir))
	}()
	if err := perform(ctx, stage); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if stage.manager != nil {
			screen.Say("", "The manager's log ends with:", stage.manager.LogTail())
		}
		if guest.Keep {
			screen.Sayf("It failed: %v", err)
			wait(ctx, stage)
		}
		return err
	}
	if guest.Keep {
		wait(ctx, stage)
	} else {
		screen.Say("", "Everything ends now. `KEEP=1 make demo` leaves it running, to look around in.")
	}
	return nil
}

// perform is the demonstration from the first program to the judgement.
func perform(ctx context.Context, stage *Stage) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endsWithin, fmt.Errorf("the rollout did not end within %s", endsWithin))
	defer cancel()
	screen := stage.screen
	screen.Say("", screen.style.bold+"Setting the stage"+screen.style.plain, "")
	if err := stage.Set(ctx); err != nil {
		return err
	}
	plan, err := stage.ReadPlan(ctx)
	if err != nil {
		return err
	}
	if err := stage.StartManager(ctx); err != nil {
		return err
	}
	screen.Say("", screen.style.bold+"The rollout"+screen.style.plain, "")
	record, err := follow(ctx, stage, NewShow(plan, troubled, time.Now()))
	if err != nil {
		return err
	}
	screen.Say("")
	screen.Say(timeline(record)...)
	screen.Say("", "What the scenario promised, judged from the objects:", "")
	lines, broken := verdict(Verify(record), screen.style)
	screen.Say(lines...)
	return broken
}

// follow looks at the objects until every site has completed, and lets happen outside what the show decides.
func follow(ctx context.Context, stage *Stage, show *Show) (Record, error) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	// What the table showed last stays, however this ends.
	defer stage.screen.Keep()
	for {
		rollout, stories, err := stage.Read(ctx)
		if err != nil {
			return Record{}, whyNot(ctx, err)
		}
		now := time.Now()
		news := show.Look(rollout, stories, now)
		if err := tell(ctx, stage, show, news); err != nil {
			return Record{}, whyNot(ctx, err)
		}
		stage.screen.Draw(show.table(stories, now, stage.screen.style))
		if news.Finished {
			return show.Record(stories), nil
		}
		select {
		case <-stage.manager.Exited():
			return Record{}, errors.New("the manager ended")
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// tell shows the news, and posts the events. A terminal has a table, so that only turns of the story are told there.
func tell(ctx context.Context, stage *Stage, show *Show, news News) error {
	for _, step := range news.Steps {
		if step.Turn || !stage.screen.Live() {
			stage.screen.Say(step.Line)
		}
	}
	if news.Held != nil {
		stage.screen.Sayf("\n%s is held. This is what its object says (kubectl -n %s describe sroll %s):", news.Held.Spec.Site, namespace, news.Held.Name)
		stage.screen.Say(show.story(news.Held)...)
	}
	for _, event := range news.Events {
		if event.Name == eventClean {
			stage.screen.Sayf("Outside, in the CRM, somebody fills the gaps in the records of %s:", event.Site)
			stage.screen.Say("     $ "+cleanCommand(stage, event.Site), "")
		}
		if err := crmsim.PostEvent(ctx, stage.crm.URL(), event.Site, event.Name); err != nil {
			return err
		}
	}
	return nil
}

// whyNot prefers the reason why everything was given up to the error that came of it.
func whyNot(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func cleanCommand(stage *Stage, site string) string {
	return fmt.Sprintf("curl -X POST '%s/events?site=%s&event=%s'", stage.crm.URL(), site, eventClean)
}

// wait leaves everything running, and says how to look around.
func wait(ctx context.Context, stage *Stage) {
	if stage.cluster == nil {
		return
	}
	look := func(command, what string) string { return "  " + pad("kubectl -n "+namespace+" "+command, 60) + what }
	lines := []string{
		"", "Everything keeps running until Ctrl-C. Look around in another terminal:", "",
		"  export KUBECONFIG=" + stage.cluster.Kubeconfig() + " PATH=" + filepath.Dir(stage.cluster.KubectlPath()) + ":$PATH",
		look("get crm", "everything of the programme"),
		look("get sroll -o wide", "where each site stands, and why"),
		look("describe sroll halden-crm."+troubled, "the story of one site"),
		look("get events --sort-by=.metadata.creationTimestamp", "what happened, in order"),
	}
	if stage.prometheus != nil {
		lines = append(lines, "", "  Prometheus:   "+stage.prometheus.URL(), "  the CRM:      "+stage.crm.URL()+"/metrics")
	}
	if stage.manager != nil {
		lines = append(lines, "  the manager:  "+stage.manager.MetricsURL()+", log "+stage.manager.LogPath())
	}
	stage.screen.Say(append(lines, "")...)
	<-ctx.Done()
}

// shell writes a command so that it can be copied.
func shell(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if strings.ContainsAny(word, " {}\"'&;") {
			quoted[i] = "'" + word + "'"
		}
	}
	return strings.Join(quoted, " ")
}
