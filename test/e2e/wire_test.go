package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// wire lies between one manager and the API server, sees what the manager writes, can put off an admission, and can keep writes of SiteRollouts waiting.
type wire struct {
	// kubeconfig is the manager's way to the API server.
	kubeconfig string
	next       http.Handler

	mu sync.Mutex
	// busy is closed when the next admission has been put off; nil when none is to be.
	busy chan struct{}
	// cut is true from when the manager must not write any more; late is what it wrote all the same.
	cut  bool
	late []string
	// keep returns when a request may go on; nil when all may. It is set before the manager starts.
	keep func(*http.Request)
}

// admission is the path of a SiteRollout itself, not of its status.
var admission = regexp.MustCompile(`/siterollouts/[^/]+$`)

// lay makes a wire that ends with the test.
func lay(t *testing.T, name string) *wire {
	t.Helper()
	config := control.Config()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{kubeconfig: filepath.Join(t.TempDir(), name+".kubeconfig")}
	w.next = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
		// A watch goes on for minutes, and each event must come through at once.
		FlushInterval: -1,
		// A manager that ends leaves requests unanswered.
		ErrorHandler: func(response http.ResponseWriter, _ *http.Request, _ error) {
			response.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(w)
	t.Cleanup(func() {
		server.CloseClientConnections() // watches would keep it waiting
		server.Close()
	})
	content := clientcmdapi.NewConfig()
	content.Clusters["wire"] = &clientcmdapi.Cluster{Server: server.URL}
	content.Contexts["wire"] = &clientcmdapi.Context{Cluster: "wire"}
	content.CurrentContext = "wire"
	if err := clientcmd.WriteToFile(*content, w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return w
}

// ServeHTTP passes a request on when it has come whole, or answers it as a busy API server does.
func (w *wire) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if w.keep != nil {
		w.keep(request)
	}
	content, err := io.ReadAll(request.Body)
	if err != nil { // the sender gave it up: nobody can carry out a part of a request
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(content))
	if w.takes(request) {
		w.next.ServeHTTP(response, request)
		return
	}
	response.Header().Set("Retry-After", "1")
	http.Error(response, "busy", http.StatusTooManyRequests)
}

// takes reports whether a request is passed on. The lease, and the events that tell of it, go by another way in the manager, and are no work. Nor are other events: each tells of a
// write that was carried out before, and a queue of its own sends it.
func (w *wire) takes(request *http.Request) bool {
	path := request.URL.Path
	if request.Method == http.MethodGet || strings.Contains(path, "/leases") || strings.Contains(path, "/api/v1/") || strings.Contains(path, "/events") {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		w.late = append(w.late, request.Method+" "+path)
	}
	if w.busy == nil || request.Method != http.MethodPatch || !admission.MatchString(path) {
		return true
	}
	close(w.busy)
	w.busy = nil
	return false
}

// putOff makes the API server too busy for the next admission, and returns a channel that is closed when that has come. The manager will send it again.
func (w *wire) putOff() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = make(chan struct{})
	return w.busy
}

// stick keeps the writes of SiteRollouts of a namespace waiting until they are released, or the test ends. The channel is closed when the first of them has come.
func (w *wire) stick(t *testing.T, namespace string) (kept <-chan struct{}, release func()) {
	t.Helper()
	came, released := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(came) })
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	w.keep = func(request *http.Request) {
		if request.Method != http.MethodGet && strings.Contains(request.URL.Path, "/namespaces/"+namespace+"/siterollouts") {
			first()
			<-released
		}
	}
	return came, release
}

// mustBeSilent notes what the manager writes from now on.
func (w *wire) mustBeSilent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
}

// lateWrites returns what the manager wrote though it must not.
func (w *wire) lateWrites() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.late) == 0 {
		return nil
	}
	return fmt.Errorf("%d writes, the first is %s", len(w.late), w.late[0])
}
