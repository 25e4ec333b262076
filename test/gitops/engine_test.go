package gitops

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/test/cluster"
)

// engine is a running kustomize-controller.
type engine struct {
	log    string
	exited chan struct{}
}

// startEngine runs the engine until the test ends.
func startEngine(t *testing.T) *engine {
	t.Helper()
	if err := control.CreateNamespace(t.Context(), "flux-system"); err != nil {
		t.Fatal(err)
	}
	health, err := cluster.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{log: filepath.Join(t.TempDir(), "engine.log"), exited: make(chan struct{})}
	log, err := os.Create(e.log)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(flux, "kustomize-controller"), "--health-addr="+health, "--metrics-addr=0", "--log-encoding=json")
	command.Env = append(os.Environ(), "KUBECONFIG="+control.Kubeconfig(), "RUNTIME_NAMESPACE=flux-system")
	command.Stdout, command.Stderr = log, log
	// The context of a test ends before its clean-ups run: the engine is asked to end then, and has ended before the API server does.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 20 * time.Second
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait() // it is told to end
		_ = log.Close()
		close(e.exited)
	}()
	t.Cleanup(func() {
		<-e.exited
		if t.Failed() {
			t.Logf("the engine's log ends with:\n%s", e.tail(t))
		}
	})
	eventually(t, "the engine is ready", func() error { return e.ready("http://" + health + "/readyz") })
	return e
}

func (e *engine) ready(url string) error {
	select {
	case <-e.exited:
		return errors.New("it has ended")
	default:
	}
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

func (e *engine) tail(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(e.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[max(0, len(text)-4000):])
}

// applied returns what the engine said of each object when it last applied a revision: created, configured or unchanged. It applies a set of objects in stages, each with a
// line of its own in the log.
func (e *engine) applied(t *testing.T, revision string, since time.Time) map[string]string {
	t.Helper()
	file, err := os.Open(e.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	found := map[string]string{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Time     time.Time         `json:"ts"`
			Message  string            `json:"msg"`
			Output   map[string]string `json:"output"`
			Revision string            `json:"revision"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Revision != revision || line.Time.Before(since) || !strings.HasPrefix(line.Message, "server-side apply") {
			continue
		}
		for object, action := range line.Output {
			found[object] = action
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// follow makes the engine apply a directory of the repository. It waits after each commit until all objects are ready, as its own checks see it.
func follow(t *testing.T, path string) {
	t.Helper()
	source := fluxObject("source.toolkit.fluxcd.io/v1", "GitRepository")
	source.Object["spec"] = map[string]any{"interval": "1h", "url": "https://git.example.com/crm.git", "ref": map[string]any{"branch": "main"}}
	sync := kustomization()
	sync.Object["spec"] = map[string]any{
		"interval": "1h", "path": path, "prune": true, "wait": true, "timeout": "1m",
		"sourceRef": map[string]any{"kind": "GitRepository", "name": source.GetName()},
	}
	for _, object := range []*unstructured.Unstructured{source, sync} {
		if err := api.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func kustomization() *unstructured.Unstructured {
	return fluxObject("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
}

// sync is the part of a Kustomization's status that is of interest.
type sync struct {
	Conditions            []metav1.Condition `json:"conditions"`
	LastAttemptedRevision string             `json:"lastAttemptedRevision"`
	LastAppliedRevision   string             `json:"lastAppliedRevision"`
	LastHandledReconcile  string             `json:"lastHandledReconcileAt"`
	Inventory             struct {
		Entries []struct {
			ID string `json:"id"`
		} `json:"entries"`
	} `json:"inventory"`
}

func syncStatus(t *testing.T) sync {
	t.Helper()
	object := kustomization()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	var known struct {
		Status sync `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &known); err != nil {
		t.Fatal(err)
	}
	return known.Status
}

// awaitSynced waits until the engine has applied a revision and found everything ready.
func awaitSynced(t *testing.T, revision string) {
	t.Helper()
	eventually(t, "the engine applies "+revision+" and finds everything ready", func() error {
		s := syncStatus(t)
		ready := meta.FindStatusCondition(s.Conditions, "Ready")
		if s.LastAppliedRevision != revision || ready == nil || ready.Status != metav1.ConditionTrue {
			return fmt.Errorf("applied %s, ready %+v", s.LastAppliedRevision, ready)
		}
		return nil
	})
}

// awaitFailed waits until the engine has tried a revision and failed for some reason, and returns what it says.
func awaitFailed(t *testing.T, revision, reason string) string {
	t.Helper()
	var says string
	eventually(t, "the engine fails with "+revision, func() error {
		s := syncStatus(t)
		ready := meta.FindStatusCondition(s.Conditions, "Ready")
		if s.LastAttemptedRevision != revision || ready == nil || ready.Status != metav1.ConditionFalse {
			return fmt.Errorf("tried %s, ready %+v", s.LastAttemptedRevision, ready)
		}
		if ready.Reason != reason {
			return fmt.Errorf("ready is False for another reason: %s: %s", ready.Reason, ready.Message)
		}
		says = ready.Message
		return nil
	})
	return says
}

// syncAgain asks the engine to apply the same revision once more, and waits until it has.
func syncAgain(t *testing.T) {
	t.Helper()
	object := kustomization()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	asked := time.Now().Format(time.RFC3339Nano)
	before := object.DeepCopy()
	object.SetAnnotations(map[string]string{"reconcile.fluxcd.io/requestedAt": asked})
	if err := api.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the engine syncs again", func() error {
		s := syncStatus(t)
		if ready := meta.FindStatusCondition(s.Conditions, "Ready"); s.LastHandledReconcile != asked || ready == nil || ready.Status != metav1.ConditionTrue {
			return fmt.Errorf("handled %s, ready %+v", s.LastHandledReconcile, ready)
		}
		return nil
	})
}
