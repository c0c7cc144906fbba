package test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm/spanlake"

// cluster is what mode cluster needs at least.
const cluster = `
mode: cluster
bucket: {url: "s3://traces?region=eu-west-1"}
nats: {url: "nats://nats:4222", monitorUrls: ["http://nats:8222"]}
`

// render returns the chart's manifests as helm install would send them.
func render(t *testing.T, values string) (manifests []string, err error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	require.NoError(t, err)
	overrides, err := chartutil.ReadValues([]byte(values))
	require.NoError(t, err)
	release := chartutil.ReleaseOptions{Name: "traces", Namespace: "observability", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, overrides, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for text := range strings.SplitSeq(files[name], "\n---\n") {
			if strings.TrimSpace(text) != "" {
				manifests = append(manifests, text)
			}
		}
	}
	return manifests, nil
}

// serviceMonitor is as much of the operator's type as the chart uses.
type serviceMonitor struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port          string `json:"port"`
			Path          string `json:"path"`
			Interval      string `json:"interval"`
			Authorization *struct {
				Type        string                   `json:"type"`
				Credentials corev1.SecretKeySelector `json:"credentials"`
			} `json:"authorization"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// prometheusRule is as much of the operator's type as the chart uses. The rules are
// compared with their file as Prometheus reads it.
type prometheusRule struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`

	Spec map[string]any `json:"spec"`
}

// objects are the manifests of a release, decoded.
type objects struct {
	configMaps   []*corev1.ConfigMap
	services     []*corev1.Service
	accounts     []*corev1.ServiceAccount
	statefulSets []*appsv1.StatefulSet
	deployments  []*appsv1.Deployment
	budgets      []*policyv1.PodDisruptionBudget
	scalers      []*autoscalingv2.HorizontalPodAutoscaler
	monitors     []*serviceMonitor
	rules        []*prometheusRule
}

// decode renders the chart and reads every manifest into its type: a field that
// the type does not have is an error, and so is a kind that is not here.
func decode(t *testing.T, values string) (o objects) {
	t.Helper()
	manifests, err := render(t, values)
	require.NoError(t, err)
	for _, text := range manifests {
		var meta metav1.PartialObjectMetadata
		require.NoError(t, yaml.Unmarshal([]byte(text), &meta))
		switch kind := meta.APIVersion + " " + meta.Kind; kind {
		case "v1 ConfigMap":
			o.configMaps = append(o.configMaps, strictly[corev1.ConfigMap](t, text))
		case "v1 Service":
			o.services = append(o.services, strictly[corev1.Service](t, text))
		case "v1 ServiceAccount":
			o.accounts = append(o.accounts, strictly[corev1.ServiceAccount](t, text))
		case "apps/v1 StatefulSet":
			o.statefulSets = append(o.statefulSets, strictly[appsv1.StatefulSet](t, text))
		case "apps/v1 Deployment":
			o.deployments = append(o.deployments, strictly[appsv1.Deployment](t, text))
		case "policy/v1 PodDisruptionBudget":
			o.budgets = append(o.budgets, strictly[policyv1.PodDisruptionBudget](t, text))
		case "autoscaling/v2 HorizontalPodAutoscaler":
			o.scalers = append(o.scalers, strictly[autoscalingv2.HorizontalPodAutoscaler](t, text))
		case "monitoring.coreos.com/v1 ServiceMonitor":
			o.monitors = append(o.monitors, strictly[serviceMonitor](t, text))
		case "monitoring.coreos.com/v1 PrometheusRule":
			o.rules = append(o.rules, strictly[prometheusRule](t, text))
		default:
			require.Fail(t, "unknown kind", "%q in\n%s", kind, text)
		}
	}
	return o
}

func strictly[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), text)
	return object
}

// pods are the templates of all pods by what they are for.
func (o objects) pods() map[string]corev1.PodTemplateSpec {
	pods := map[string]corev1.PodTemplateSpec{}
	for _, s := range o.statefulSets {
		pods[s.Spec.Template.Labels["app.kubernetes.io/component"]] = s.Spec.Template
	}
	for _, d := range o.deployments {
		pods[d.Spec.Template.Labels["app.kubernetes.io/component"]] = d.Spec.Template
	}
	return pods
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartDir, "examples", name))
	require.NoError(t, err)
	return string(text)
}
