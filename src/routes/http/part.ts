import { Elysia } from 'elysia'

/**
 * One part of a request, declared once: its type for the handler and the client, its validation, and its
 * documentation. A Standard Schema, so that Elysia calls it once the gate has let the request in. It gets the
 * request itself, because the body isn't read before that.
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

/** @param read throws a Problem for an invalid request */
export function part<T>(read: (request: Request) => T | Promise<T>): Part<T> {
  const validate = async (request: unknown) => ({ value: await read(request as Request) })
  return { '~standard': { version: 1, vendor: 'weir', validate } }
}

/**
 * Passes the request to the parts of all routes that follow. Replaces Elysia's own parsers, which read whole bodies
 * before any hook can refuse a request; hooks that refuse requests are transforms registered before this one.
 */
export function requestParts() {
  return new Elysia({ name: 'request-parts' })
    .onParse({ as: 'global' }, ({ request }) => request)
    .onTransform({ as: 'global' }, ({ request }) => ({ query: request }) as unknown as undefined)
}
