import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import { startTestWeir } from '../support/weir.ts'

const TOKEN = 'a-token-of-the-tests'

interface Graph {
  services: { id: string; kind: string; group?: string }[]
  calls: {
    from: string
    to: string
    count: number
    errors: number
    lastStatus: number
    lastDurationMs: number
  }[]
}

/** A plain Node program with the stock SDK before it; the environment is all that it is told. */
async function startNodeService(environment: Record<string, string>) {
  const files = ['instrumentation.cjs', 'node-service.cjs'].map((file) => join(import.meta.dir, file))
  const child = Bun.spawn(['node', '--require', ...files], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const output = child.stdout.getReader()
  const { value } = await output.read()
  output.releaseLock()
  return {
    url: new TextDecoder().decode(value).trim(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

test.concurrent.each([
  ['http/protobuf', {}, {}],
  [
    'http/json',
    { WEIR_TOKEN: TOKEN },
    {
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer%20${TOKEN}`,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    },
  ],
])(
  'two Node services appear with only environment variables, over %s',
  async (protocol, weirSettings, settings) => {
    const weir = await startTestWeir({ ...weirSettings })
    const common = {
      OTEL_EXPORTER_OTLP_ENDPOINT: weir.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=shop',
      ...settings,
    }
    try {
      await using stock = await startNodeService({ ...common, OTEL_SERVICE_NAME: 'stock' })
      await using cart = await startNodeService({ ...common, OTEL_SERVICE_NAME: 'cart', NEXT: stock.url })
      for (const path of ['/', '/', '/broken']) await (await fetch(cart.url + path)).text()

      const headers = { Authorization: `Bearer ${TOKEN}` }
      const { services, calls } = await until('all three calls are counted', async () => {
        const graph = (await (await fetch(`${weir.url}/api/topology`, { headers })).json()) as Graph
        return graph.calls?.find(({ count }) => count === 3) && graph
      })
      expect(
        services
          .filter(({ group }) => group === 'shop')
          .map(({ id, kind }) => [id, kind])
          .sort(),
      ).toEqual([
        ['cart', 'service'],
        ['stock', 'service'],
      ])
      expect(calls.filter(({ from }) => from === 'cart')).toMatchObject([
        { from: 'cart', to: 'stock', errors: 1 },
      ])
      expect(calls.find(({ from }) => from === 'cart')?.lastDurationMs).toBeGreaterThan(10)
      expect(weir.warnings).toEqual([])
    } finally {
      await weir.close()
    }
  },
)
