// OpenTelemetry's own getting-started file for Node: all settings come from the environment.
const { NodeSDK } = require('@opentelemetry/sdk-node')
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http')

new NodeSDK({ instrumentations: [new HttpInstrumentation()] }).start()
