// Clusters of any size, as text.

/** An Ingress, a Service and its endpoints for each host; `objects` is rounded up to whole hosts. */
export function cluster(objects) {
  const hosts = Math.max(1, Math.ceil((objects - 1) / 3))
  const parts = [
    'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: haproxy\nspec:\n  controller: haproxy-ingress.github.io/controller\n',
  ]
  for (let number = 0; number < hosts; number++) {
    const name = `app-${number}`
    const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
    parts.push(
      `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  annotations:
    haproxy-ingress.github.io/timeout-server: "${10 + (number % 50)}s"
    haproxy-ingress.github.io/cors-enable: "true"
    haproxy-ingress.github.io/cors-max-age: "600"
spec:
  ingressClassName: haproxy
  rules:
    - host: ${name}.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: ${name}
                port:
                  number: 80
`,
      `apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  ports:
    - name: http
      port: 80
      targetPort: 8080
`,
      `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-1
  labels:
    kubernetes.io/service-name: ${name}
addressType: IPv4
ports:
  - name: http
    port: 8080
endpoints:
  - addresses: [${address}]
    conditions:
      ready: true
`,
    )
  }
  return parts.join('---\n')
}
