// Command crmsim reports the business metrics of a simulated CRM on /metrics, for a Prometheus to scrape. Things happen
// in it when somebody posts them: curl -X POST 'http://127.0.0.1:9500/events?site=lyon&event=clean'.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/crmops/rollout-operator/test/crmsim"
)

func main() {
	address := flag.String("listen", "127.0.0.1:9500", "host and port to listen on; port 0 takes a free one")
	file := flag.String("scenario", "", "file with the scenario; empty means the built-in one")
	flag.Parse()
	if err := run(*address, *file); err != nil {
		fmt.Fprintln(os.Stderr, "crmsim:", err)
		os.Exit(1)
	}
}

func run(address, file string) error {
	scenario, err := load(file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := crmsim.Serve(crmsim.New(scenario, time.Now), address)
	if err != nil {
		return err
	}
	fmt.Println("crmsim: serving", server.URL()+"/metrics")
	<-ctx.Done()
	return server.Stop()
}

func load(file string) (crmsim.Scenario, error) {
	if file == "" {
		return crmsim.DefaultScenario()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return crmsim.Scenario{}, fmt.Errorf("read the scenario: %w", err)
	}
	return crmsim.Parse(text)
}
