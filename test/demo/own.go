package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

const (
	// removedWithin is how long a cluster may take to empty the namespace and to give up the kinds.
	removedWithin = 2 * time.Minute
	// removalInterval is how often it is looked whether something is gone.
	removalInterval = 200 * time.Millisecond
)

// Guest is what the demonstration made in a cluster of the user's own, where it leaves things as they were.
type Guest struct {
	// Kubeconfig is the user's file. Empty means that the demonstration runs a control plane of its own.
	Kubeconfig string
	// Keep leaves what was made, and says how to remove it.
	Keep bool

	// kinds and namespace say what may have been made: set before the attempt, because one that fails may have made some.
	kinds, namespace bool
}

// connect uses the user's cluster, and changes nothing in it yet.
func (s *Stage) connect(ctx context.Context) error {
	begun := time.Now()
	connected, err := cluster.Connect(ctx, cluster.ConnectOptions{Kubeconfig: s.guest.Kubeconfig, Dir: filepath.Join(s.dir, "cluster")})
	if err != nil {
		return err
	}
	s.cluster = connected
	s.strike = append(s.strike, connected.Stop, s.leave)
	if s.client, err = connected.Client(); err != nil {
		return err
	}
	s.did(begun, "Kubernetes: your own cluster at %s, context %s", connected.Config().Host, connected.Context())
	if err := s.refuseIfInUse(ctx); err != nil {
		// There is nothing of the demonstration to look around in.
		s.cluster = nil
		return err
	}
	end := "removed in the end"
	if s.guest.Keep {
		end = "left there"
	}
	s.screen.Sayf("        namespace %s and the kinds of %s are made there, and %s", namespace, crmv1.GroupVersion.Group, end)
	return nil
}

// refuseIfInUse keeps away from a cluster in which something that the demonstration would make, and remove, is there
// already: it may be a real installation.
func (s *Stage) refuseIfInUse(ctx context.Context) error {
	host := s.cluster.Config().Host
	err := s.client.Get(ctx, client.ObjectKey{Name: namespace}, object("", "v1", "Namespace"))
	if err == nil {
		return fmt.Errorf("nothing was changed: namespace %s exists in the cluster at %s, and the demonstration would remove it in the end", namespace, host)
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("look for namespace %s: %w", namespace, err)
	}
	installed, err := s.installed(ctx)
	if err != nil {
		return err
	}
	if len(installed) > 0 {
		return fmt.Errorf("nothing was changed: the cluster at %s has kinds of %s (%s), which may be in use, and the demonstration would remove them in the end",
			host, crmv1.GroupVersion.Group, strings.Join(installed, ", "))
	}
	return nil
}

// installed lists the CustomResourceDefinitions of the operator's group. Kubernetes puts the group into their names.
func (s *Stage) installed(ctx context.Context) ([]string, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinitionList"})
	if err := s.client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("look for the kinds of %s: %w", crmv1.GroupVersion.Group, err)
	}
	var names []string
	for _, found := range list.Items {
		if strings.HasSuffix(found.Name, "."+crmv1.GroupVersion.Group) {
			names = append(names, found.Name)
		}
	}
	return names, nil
}

// leave removes what was made in the user's cluster, and nothing else. It has a time of its own, because an interrupt is a
// reason to tidy up.
func (s *Stage) leave() error {
	if !s.guest.kinds && !s.guest.namespace {
		return nil
	}
	if s.guest.Keep {
		s.screen.Say("", "What was made stays in your cluster. To remove it:", "")
		s.screen.Say(s.removal()...)
		s.screen.Say("")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), removedWithin)
	defer cancel()
	begun := time.Now()
	if err := s.remove(ctx); err != nil {
		return fmt.Errorf("your cluster at %s still holds some of what was made: %w; to remove it:\n%s", s.cluster.Config().Host, err, strings.Join(s.removal(), "\n"))
	}
	s.did(begun, "your cluster: what was made in it is removed")
	return nil
}

func (s *Stage) remove(ctx context.Context) error {
	if s.manager != nil {
		// Otherwise it would make anew what is being removed.
		if err := s.manager.Stop(); err != nil {
			return err
		}
	}
	var failures []error
	if s.guest.namespace {
		failures = append(failures, s.removeOne(ctx, object("", "v1", "Namespace"), namespace))
	}
	if s.guest.kinds {
		names, err := s.kinds()
		failures = append(failures, err)
		for _, name := range names {
			failures = append(failures, s.removeOne(ctx, object("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), name))
		}
	}
	return errors.Join(failures...)
}

// removeOne deletes an object and waits until it is gone. One that was never made is fine.
func (s *Stage) removeOne(ctx context.Context, of *unstructured.Unstructured, name string) error {
	of.SetName(name)
	ticker := time.NewTicker(removalInterval)
	defer ticker.Stop()
	err := s.client.Delete(ctx, of)
	for err == nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove %s: it is not gone after %s", name, removedWithin)
		case <-ticker.C:
			err = s.client.Get(ctx, client.ObjectKey{Name: name}, of)
		}
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// kinds are the names of the CustomResourceDefinitions that the programme needs, from the names of their files:
// group_plural.yaml.
func (s *Stage) kinds() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(s.root, "config", "crd", "bases"))
	if err != nil {
		return nil, fmt.Errorf("list the kinds: %w", err)
	}
	var names []string
	for _, file := range files {
		group, plural, _ := strings.Cut(strings.TrimSuffix(file.Name(), ".yaml"), "_")
		names = append(names, plural+"."+group)
	}
	return names, nil
}

// removal are the commands that do what leave does. They name the user's own file, which outlives the demonstration, and
// the context, which may not stay its current one.
func (s *Stage) removal() []string {
	kubeconfig, err := filepath.Abs(s.guest.Kubeconfig)
	if err != nil {
		kubeconfig = s.guest.Kubeconfig
	}
	words := []string{s.cluster.KubectlPath(), "--kubeconfig=" + kubeconfig, "--context=" + s.cluster.Context(), "delete", "--ignore-not-found"}
	return []string{
		"  " + shell(append(words[:len(words):len(words)], "namespace", namespace)),
		"  " + shell(append(words[:len(words):len(words)], "-f", filepath.Join(s.root, "config", "crd", "bases"))),
	}
}

func object(group, version, kind string) *unstructured.Unstructured {
	of := &unstructured.Unstructured{}
	of.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
	return of
}
