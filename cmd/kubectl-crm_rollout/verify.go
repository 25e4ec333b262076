package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

// errFaults ends the command with an exit code when a record has faults.
var errFaults = errors.New("a record has faults")

// siteRollouts is the resource, as kubectl names it.
const siteRollouts = "siterollouts.rollout.crmops.dev"

// verification is what the command line of verify says.
type verification struct {
	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams

	names         []string
	filenames     []string
	selector      string
	all           bool
	allNamespaces bool
	output        string
}

func verifyCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	v := verification{flags: flags, streams: streams}
	command := &cobra.Command{
		Use:   "verify [SITEROLLOUT...]",
		Short: "Verify the record of sites: the chain of their steps, and the evidence of their phases",
		Long: `Verify the record of sites: that no step was changed, removed or moved, and that the evidence of each phase is what passed it.

One line a site says OK, with the number of steps and the hash of the last one, or FAULT, with what does not fit. The exit code is 1 when a record has a fault, or cannot be read.
Who may write a status can make all hashes anew: compare the hash of the last step with one that was noted elsewhere.`,
		Example: `  # one site, and all sites of a rollout
  kubectl crm-rollout verify halden-crm.lyon
  kubectl crm-rollout verify -l rollout.crmops.dev/rollout=halden-crm
  # every site of every namespace, as YAML
  kubectl crm-rollout verify --all --all-namespaces -o yaml
  # a copy that was saved, without a cluster
  kubectl get siterollouts -o yaml > copy.yaml
  kubectl crm-rollout verify -f copy.yaml`,
		RunE: func(_ *cobra.Command, names []string) error {
			v.names = names
			return v.run()
		},
	}
	command.Flags().StringSliceVarP(&v.filenames, "filename", "f", nil, "file with SiteRollouts that were saved, or - for standard input; no cluster is asked")
	command.Flags().StringVarP(&v.selector, "selector", "l", "", "verify the SiteRollouts with these labels")
	command.Flags().BoolVar(&v.all, "all", false, "verify all SiteRollouts of the namespace")
	command.Flags().BoolVarP(&v.allNamespaces, "all-namespaces", "A", false, "with --all or -l: of all namespaces")
	command.Flags().StringVarP(&v.output, "output", "o", "", "json or yaml; a line a site when it is not set")
	return command
}

func (v verification) run() error {
	show, err := printer(v.output)
	if err != nil {
		return err
	}
	objects, err := v.read()
	if err != nil {
		return err
	}
	var results []result
	for _, object := range objects {
		if object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group && object.GetKind() == "SiteRollout" {
			results = append(results, verify(object))
		}
	}
	if len(results) == 0 {
		return errors.New("there is no SiteRollout to verify")
	}
	if err := show(v.streams.Out, results); err != nil {
		return err
	}
	for _, r := range results {
		if !r.OK {
			return errFaults
		}
	}
	return nil
}

// check finds what contradicts itself on the command line.
func (v verification) check() error {
	named, chosen := len(v.names) > 0, v.all || v.selector != ""
	switch {
	case len(v.filenames) > 0 && (named || chosen):
		return errors.New("-f reads files and asks no cluster: leave out names, --all and -l")
	case len(v.filenames) > 0:
		return nil
	case named == chosen:
		return errors.New("name SiteRollouts, or say --all, -l or -f")
	case named && v.allNamespaces:
		return errors.New("a name is one of a namespace: leave out --all-namespaces, or say --all")
	}
	return nil
}

// read gets the objects that the command line names, from files or from the API server.
func (v verification) read() ([]*unstructured.Unstructured, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	builder := resource.NewBuilder(v.flags).Unstructured().Flatten()
	if len(v.filenames) > 0 {
		builder = builder.Local().FilenameParam(false, &resource.FilenameOptions{Filenames: v.filenames})
	} else {
		namespace, _, err := v.flags.ToRawKubeConfigLoader().Namespace()
		if err != nil {
			return nil, err
		}
		builder = builder.NamespaceParam(namespace).DefaultNamespace().AllNamespaces(v.allNamespaces).
			LabelSelectorParam(v.selector).ResourceTypeOrNameArgs(true, append([]string{siteRollouts}, v.names...)...)
	}
	infos, err := builder.Do().Infos()
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, info := range infos {
		object, ok := info.Object.(*unstructured.Unstructured)
		if !ok {
			return nil, fmt.Errorf("%s holds a %T, which is no object", info.Source, info.Object)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// result is what is told of one SiteRollout.
type result struct {
	// Namespace of the SiteRollout.
	Namespace string `json:"namespace,omitempty"`
	// Name of the SiteRollout.
	Name string `json:"name"`
	// OK is true when nothing speaks against its record.
	OK bool `json:"ok"`
	// Steps that the site has taken.
	Steps int64 `json:"steps"`
	// Head is the hash of the last step.
	Head string `json:"head,omitempty"`
	// Faults of its record.
	Faults []string `json:"faults,omitempty"`
	// Notes say what could not be verified.
	Notes []string `json:"notes,omitempty"`
}

func verify(object *unstructured.Unstructured) result {
	r := result{Namespace: object.GetNamespace(), Name: object.GetName()}
	var sr v1alpha1.SiteRollout
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &sr, true)
	if unknown, ok := runtime.AsStrictDecodingError(err); ok {
		var fields []string
		for _, field := range unknown.Errors() {
			fields = append(fields, field.Error())
		}
		r.Faults = []string{"it has fields that this version does not know, so its hashes cannot be made: " + strings.Join(fields, ", ") + "; take the kubectl-crm_rollout of the operator's version"}
		return r
	}
	if err != nil {
		r.Faults = []string{"it cannot be read: " + err.Error()}
		return r
	}
	report := record.Verify(sr.Status)
	r.Steps, r.Head, r.Faults, r.Notes = report.Steps, report.Head, report.Faults, report.Notes
	r.OK = len(r.Faults) == 0
	return r
}
