package gitops

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// repository is a git repository on this machine, with what stands in for Flux's source-controller: each commit becomes an archive that is served over HTTP, and a
// status of the GitRepository that points to it.
type repository struct {
	dir      string
	archives string
	server   *httptest.Server
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{dir: t.TempDir(), archives: t.TempDir()}
	r.git(t, "init", "--quiet", "--initial-branch=main")
	r.server = httptest.NewServer(http.FileServer(http.Dir(r.archives)))
	t.Cleanup(r.server.Close)
	return r
}

// git runs git in the repository and returns what it prints. It reads no configuration of the user's.
func (r *repository) git(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = r.dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Anna", "GIT_AUTHOR_EMAIL=anna@example.com", "GIT_COMMITTER_NAME=Anna", "GIT_COMMITTER_EMAIL=anna@example.com")
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, printed)
	}
	return strings.TrimSpace(string(printed))
}

// copy puts a directory of this project into the repository.
func (r *repository) copy(t *testing.T, directory string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(r.dir, filepath.Base(directory)), os.DirFS(filepath.Join(repositoryRoot, directory))); err != nil {
		t.Fatal(err)
	}
}

// write puts a file into the repository.
func (r *repository) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// commit commits everything, publishes it, and returns the revision as Flux names it.
func (r *repository) commit(t *testing.T, message string) string {
	t.Helper()
	r.git(t, "add", "--all")
	r.git(t, "commit", "--quiet", "--message="+message)
	hash := r.git(t, "rev-parse", "HEAD")
	archive := hash + ".tar.gz"
	r.git(t, "archive", "--format=tar.gz", "--output="+filepath.Join(r.archives, archive), hash)
	content, err := os.ReadFile(filepath.Join(r.archives, archive))
	if err != nil {
		t.Fatal(err)
	}
	revision := "main@sha1:" + hash
	now := metav1.Now().UTC().Format(time.RFC3339)
	source := fluxObject("source.toolkit.fluxcd.io/v1", "GitRepository")
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(source), source); err != nil {
		t.Fatal(err)
	}
	before := source.DeepCopy()
	source.Object["status"] = map[string]any{
		"observedGeneration": source.GetGeneration(),
		"artifact": map[string]any{
			"path": archive, "url": r.server.URL + "/" + archive, "revision": revision, "lastUpdateTime": now,
			"digest": fmt.Sprintf("sha256:%x", sha256.Sum256(content)), "size": int64(len(content)),
		},
		"conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact for revision '" + revision + "'",
			"observedGeneration": source.GetGeneration(), "lastTransitionTime": now}},
	}
	if err := api.Status().Patch(t.Context(), source, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	return revision
}

// fluxObject is one of the two objects that tell Flux what to do.
func fluxObject(apiVersion, kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	object.SetNamespace("flux-system")
	object.SetName("crm")
	return object
}
