import { Elysia } from 'elysia'

/**
 * One part of a request, declared once: its type for the handler and the client, its validation, and its documentation.
 * A Standard Schema, so that Elysia calls it once the gate has let the request in. It is given the request itself: until
 * then nothing of a body is read.
 * @see https://standardschema.dev
 */
export interface Part<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'weir'
    validate(request: unknown): Promise<{ value: T }>
    readonly types?: { readonly input: T; readonly output: T }
  }
}

/** @param read throws a Problem for a request that isn't valid */
export function part<T>(read: (request: Request) => T | Promise<T>): Part<T> {
  const validate = async (request: unknown) => ({ value: await read(request as Request) })
  return { '~standard': { version: 1, vendor: 'weir', validate } }
}

/**
 * Gives the parts of all routes that follow their request. It takes the place of Elysia's own parsers, which read whole
 * bodies before any hook can refuse the request: whatever decides that is a transform before this.
 */
export function requestParts() {
  return new Elysia({ name: 'request-parts' })
    .onParse({ as: 'global' }, ({ request }) => request)
    .onTransform({ as: 'global' }, ({ request }) => ({ query: request }) as unknown as undefined)
}
