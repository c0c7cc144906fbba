package test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

func TestLint(t *testing.T) {
	for _, values := range []string{"{}", cluster} {
		var overrides map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(values), &overrides))
		for _, message := range lint.All(chartDir, overrides, "observability", true).Messages {
			require.LessOrEqual(t, message.Severity, support.InfoSev, message.Error())
		}
	}
}

// variants are values of the chart that all checks are made with.
func variants(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"defaults":        "{}",
		"single":          example(t, "single.yaml"),
		"single, open":    "auth: {mode: none}\nserviceMonitor: {enabled: true}",
		"cluster":         cluster,
		"cluster, all":    example(t, "cluster.yaml"),
		"cluster, weaker": cluster + "drainSeconds: 0\nlogging: {level: debug, format: text}\nauth: {mode: header}\n",
		"cluster, weak":   strings.Replace(cluster, `monitorUrls: ["http://nats:8222"]`, "allowWeakSync: true", 1) + "config: {ingester: {cut_age: 30s}, querier: {concurrency: 4}, compactor: {lifecycle: terraform}}\n",
	}
}

func TestObjects(t *testing.T) {
	for name, values := range variants(t) {
		t.Run(name, func(t *testing.T) {
			o := decode(t, values)
			require.Len(t, o.configMaps, 1)
			require.Len(t, o.accounts, 1)
			pods := o.pods()
			want := []string{"all"}
			if strings.Contains(values, "mode: cluster") {
				want = []string{"compactor", "ingester", "querier"}
			}
			require.Equal(t, want, slices.Sorted(maps.Keys(pods)))
			for target, pod := range pods {
				require.Equal(t, o.accounts[0].Name, pod.Spec.ServiceAccountName)
				checkPod(t, target, pod)
			}
			for _, s := range o.statefulSets {
				require.True(t, selects(t, s.Spec.Selector, s.Spec.Template.Labels))
				require.True(t, slices.ContainsFunc(o.services, func(headless *corev1.Service) bool {
					return headless.Name == s.Spec.ServiceName && headless.Spec.ClusterIP == corev1.ClusterIPNone
				}))
			}
			for _, d := range o.deployments {
				require.True(t, selects(t, d.Spec.Selector, d.Spec.Template.Labels))
			}
			checkServices(t, o, pods)
			checkScaling(t, o)
		})
	}
}

// checkPod wants what the restricted profile of Kubernetes does, and that what
// the pod's parts say of each other is true.
func checkPod(t *testing.T, target string, pod corev1.PodTemplateSpec) {
	t.Helper()
	require.True(t, *pod.Spec.SecurityContext.RunAsNonRoot)
	require.NotZero(t, *pod.Spec.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.Spec.SecurityContext.SeccompProfile.Type)
	require.Len(t, pod.Spec.Containers, 1)
	c := pod.Spec.Containers[0]
	require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
	require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
	require.Regexp(t, `^[^:]+:[^:]+$`, c.Image)

	volumes := []string{}
	for _, v := range pod.Spec.Volumes {
		volumes = append(volumes, v.Name)
	}
	mounts := []string{}
	for _, m := range c.VolumeMounts {
		if m.Name != "data" { // a claim's
			mounts = append(mounts, m.Name)
		}
	}
	require.ElementsMatch(t, volumes, mounts)
	require.Equal(t, target == "all", len(mounts) < len(c.VolumeMounts))

	limit := c.Resources.Limits.Memory()
	goLimit := resource.MustParse(strings.TrimSuffix(variable(c, "GOMEMLIMIT"), "B"))
	require.Positive(t, goLimit.Sign())
	require.Negative(t, goLimit.Cmp(*limit))

	grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
	stop, err := time.ParseDuration(argument(c, "shutdown.timeout"))
	require.NoError(t, err)
	if c.Lifecycle != nil {
		stop += time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	}
	require.Less(t, stop, grace)

	if target == "all" {
		return
	}
	terms := pod.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	require.Len(t, terms, 2)
	for _, term := range terms {
		require.True(t, selects(t, term.PodAffinityTerm.LabelSelector, pod.Labels))
	}
}

// checkServices wants every service to lead to pods that have its ports.
func checkServices(t *testing.T, o objects, pods map[string]corev1.PodTemplateSpec) {
	t.Helper()
	require.Len(t, o.services, 3)
	for _, s := range o.services {
		found := 0
		for _, pod := range pods {
			if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) {
				continue
			}
			found++
			for _, p := range s.Spec.Ports {
				require.True(t, slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(c corev1.ContainerPort) bool {
					return c.Name == p.TargetPort.StrVal && c.ContainerPort == p.Port
				}), "%s of %s", p.Name, s.Name)
			}
		}
		if s.Spec.ClusterIP == corev1.ClusterIPNone {
			require.Len(t, pods, found)
		} else {
			require.Equal(t, 1, found, s.Name)
		}
	}
	for _, m := range o.monitors {
		var scraped []*corev1.Service
		for _, s := range o.services {
			if selects(t, &m.Spec.Selector, s.Labels) {
				scraped = append(scraped, s)
			}
		}
		require.Len(t, scraped, 1)
		require.Equal(t, corev1.ClusterIPNone, scraped[0].Spec.ClusterIP)
		require.Equal(t, scraped[0].Spec.Ports[0].Name, m.Spec.Endpoints[0].Port)
	}
}

func checkScaling(t *testing.T, o objects) {
	t.Helper()
	replicas := map[string]*int32{}
	for _, d := range o.deployments {
		replicas[d.Name] = d.Spec.Replicas
	}
	for _, h := range o.scalers {
		require.Contains(t, replicas, h.Spec.ScaleTargetRef.Name)
		require.Nil(t, replicas[h.Spec.ScaleTargetRef.Name], "an update would undo what the scaler did")
		require.Less(t, *h.Spec.MinReplicas, h.Spec.MaxReplicas)
		require.NotNil(t, h.Spec.Behavior.ScaleUp)
		require.NotNil(t, h.Spec.Behavior.ScaleDown)
		require.Len(t, h.Spec.Metrics, 2)
		delete(replicas, h.Spec.ScaleTargetRef.Name)
	}
	for name, n := range replicas {
		require.NotNil(t, n, name)
	}
	for _, b := range o.budgets {
		var held int
		for _, d := range o.deployments {
			if selects(t, b.Spec.Selector, d.Spec.Template.Labels) {
				held++
			}
		}
		require.Equal(t, 1, held, b.Name)
	}
}

func TestExampleHasAllParts(t *testing.T) {
	o := decode(t, example(t, "cluster.yaml"))
	require.Len(t, o.scalers, 2)
	require.Len(t, o.budgets, 2)
	require.Len(t, o.monitors, 1)
}

// Secrets are given by name only, and the example for External Secrets makes
// every one that the example for a cluster names.
func TestSecrets(t *testing.T) {
	made := map[string][]string{}
	for text := range strings.SplitSeq(example(t, "external-secrets.yaml"), "\n---\n") {
		var external struct {
			metav1.TypeMeta
			metav1.ObjectMeta `json:"metadata"`

			Spec struct {
				RefreshInterval string `json:"refreshInterval"`
				SecretStoreRef  struct {
					Name string `json:"name"`
					Kind string `json:"kind"`
				} `json:"secretStoreRef"`
				Target struct {
					Name string `json:"name"`
				} `json:"target"`
				Data []struct {
					SecretKey string `json:"secretKey"`
					RemoteRef struct {
						Key      string `json:"key"`
						Property string `json:"property"`
					} `json:"remoteRef"`
				} `json:"data"`
			} `json:"spec"`
		}
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), &external))
		for _, item := range external.Spec.Data {
			made[external.Spec.Target.Name] = append(made[external.Spec.Target.Name], item.SecretKey)
		}
	}

	o := decode(t, example(t, "cluster.yaml"))
	named := map[string][]string{}
	name := func(secret, key string) {
		if !slices.Contains(named[secret], key) {
			named[secret] = append(named[secret], key)
		}
	}
	for _, pod := range o.pods() {
		c := pod.Spec.Containers[0]
		for _, e := range c.Env {
			if e.ValueFrom != nil {
				name(e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
			}
		}
		for _, v := range pod.Spec.Volumes {
			if v.Secret != nil {
				name(v.Secret.SecretName, strings.TrimPrefix(argument(c, "nats.credentials-file"), "/etc/spanlake-nats/"))
			}
		}
	}
	credentials := o.monitors[0].Spec.Endpoints[0].Authorization.Credentials
	name(credentials.Name, credentials.Key)
	require.Equal(t, made, named)
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, values, want string }{
		{"unknown mode", "mode: many", "mode"},
		{"misspelt value", "ingestor: {replicas: 2}", "ingestor"},
		{"no NATS", "mode: cluster\nbucket: {url: 's3://a'}", "nats.url must be set"},
		{"no bucket", "mode: cluster\nnats: {url: 'nats://a', allowWeakSync: true}", "bucket.url must be set"},
		{"a folder as bucket", "bucket: {url: 'file:///a'}", "/bucket/url"},
		{"sync unknown", strings.Replace(cluster, `["http://nats:8222"]`, "[]", 1), "nats.monitorUrls must name"},
		{"NATS of a single process", "nats: {url: 'nats://a'}", "nats.url is for mode=cluster"},
		{"no querier", cluster + "\nquerier: {replicas: 0}", "replicas"},
		{"metrics without a key", "serviceMonitor: {enabled: true}", "serviceMonitor.key.existingSecret must be set"},
		{"a memory limit that Go does not read", "single: {goMemoryLimit: 900Mi}", "goMemoryLimit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := render(t, test.values)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func selects(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return s.Matches(labels.Set(of))
}
