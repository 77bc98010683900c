import { Type } from '@sinclair/typebox'
import { READY_CHECKS } from '../../observe/readiness.ts'
import { answer } from './answer.ts'
import { choice, named, Text } from './types.ts'

export const Healthy = Type.Object({ status: choice(['ok']) })

const Readiness = named('Readiness', {
  status: choice(['ready', 'not_ready']),
  checks: Type.Array(Type.Object({ name: choice(READY_CHECKS), ok: Type.Boolean(), detail: Text })),
})

const readiness = { 'application/json': { schema: Readiness } }

export const READY = {
  200: answer({ description: 'Ready', content: readiness }),
  503: answer({ description: 'Not ready: `checks` shows which check failed', content: readiness }),
}

const text = Type.String({ description: 'Prometheus text format, version 0.0.4' })

export const METRICS = {
  200: answer({ description: 'Metrics', content: { 'text/plain': { schema: text } } }),
}
