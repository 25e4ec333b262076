// Command kubectl-crm_rollout is a plugin of kubectl: kubectl crm-rollout.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/crmops/rollout-operator/internal/version"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	if err := root(streams).Execute(); err != nil {
		if !errors.Is(err, errFaults) { // the faults have been told
			fmt.Fprintln(os.Stderr, "error:", err)
		}
		os.Exit(1)
	}
}

func root(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:           "crm-rollout",
		Short:         "Ask about CRM rollouts",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl crm-rollout"},
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(command.PersistentFlags())
	command.AddCommand(verifyCommand(flags, streams))
	return command
}
