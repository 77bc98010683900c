import type { ApiSchema } from '../../src/routes/openapi/types.ts'
import { integer, pick, type Random, several } from '../core/seeded.ts'
import { ODD_TEXTS } from './bytes.ts'

/** Nested further, a value is left out. */
const MAX_DEPTH = 6

/** What the values of a run may name. */
export interface World {
  /** Ids of streams, channels and so on, as they came up in answers. */
  readonly ids: string[]
  /** Where the hostile upstream is: no value leads anywhere else. */
  readonly origin: string
  readonly paths: readonly string[]
  schemaOf(reference: string): ApiSchema | undefined
}

/** Values as a schema describes them; now and then as it does not. */
export class Values {
  readonly #random: Random
  readonly #world: World

  constructor(random: Random, world: World) {
    this.#random = random
    this.#world = world
  }

  of(schema: ApiSchema | undefined, name = '', depth = 0): unknown {
    const random = this.#random
    if (schema === undefined || depth > MAX_DEPTH || random() < 0.06) return this.odd()
    const { $ref, anyOf, enum: choices } = schema
    if ($ref !== undefined) return this.of(this.#world.schemaOf($ref), name, depth + 1)
    if (schema.const !== undefined) return schema.const
    if (choices !== undefined) return pick(random, choices)
    if (anyOf !== undefined) return this.of(pick(random, anyOf), name, depth + 1)
    const type = typeof schema.type === 'string' ? schema.type : schema.type?.[0]
    if (type === 'object') return this.#object(schema, depth)
    if (type === 'array') return this.#array(schema, name, depth)
    if (type === 'integer' || type === 'number') return this.#number(schema)
    if (type === 'boolean') return random() < 0.5
    if (type === 'null') return null
    return this.text(name)
  }

  /** What a field, parameter or part of a path of this name may well hold. */
  text(name: string): string {
    const random = this.#random
    if (random() < 0.15) return pick(random, ODD_TEXTS)
    if (/url|server|endpoint|target/i.test(name)) return this.url()
    if (/^ids?$|id$|streams?$|channel|rule|silence|incident/i.test(name)) return this.id()
    if (/^(at|from|to|until|since)$/i.test(name)) return this.#time()
    if (/pointer|path/i.test(name)) return pick(random, ['', '/a', '/list/0', '/~0~1', 'a', '/'])
    if (/header/i.test(name)) return pick(random, ['X-A: b', 'X-A', ': b', 'Host: x', 'X-é: y'])
    if (/after|before|cursor/i.test(name))
      return pick(random, ['0', '7', 'WyJhIiwxXQ', 'e30', 'bnVsbA', '!!'])
    return pick(random, ['a', 'shop', 'x y', 'é', '5', 'true', ...ODD_TEXTS])
  }

  id(): string {
    const known = this.#world.ids
    if (known.length > 0 && this.#random() < 0.8) return pick(this.#random, known)
    return pick(this.#random, ['0190b0c0-0000-7000-8000-000000000000', 'x', ...ODD_TEXTS])
  }

  url(): string {
    const { origin, paths } = this.#world
    const random = this.#random
    if (random() < 0.8) return `${origin}${pick(random, paths)}/${integer(random, 1_000)}`
    return pick(random, [
      'http://127.0.0.1:1/',
      'http://[::1]:1/',
      'http://user:pass@127.0.0.1:1/',
      'ftp://127.0.0.1/',
      'http://',
      `${origin}/${'u'.repeat(3_000)}`,
      `${origin}/%00%ff?a=${'&b'.repeat(200)}#f`,
      'http://nowhere.invalid/',
    ])
  }

  odd(): unknown {
    const random = this.#random
    return pick<() => unknown>(random, [
      () => null,
      () => pick(random, ODD_TEXTS),
      () => pick(random, [0, -1, 1.5, 1e21, 2 ** 53, -(2 ** 63), 1e308]),
      () => [],
      () => ({}),
      () => true,
      () => [[[[[[null]]]]]],
      () => JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1}}'),
      () => Array.from({ length: 2_000 }, () => 0),
    ])()
  }

  #object({ properties = {}, required = [] }: ApiSchema, depth: number): Record<string, unknown> {
    const random = this.#random
    const object: Record<string, unknown> = {}
    for (const [name, schema] of Object.entries(properties)) {
      const isIn = required.includes(name) ? random() < 0.97 : random() < 0.4
      if (isIn) object[name] = this.of(schema, name, depth + 1)
    }
    if (random() < 0.05) object[pick(random, ODD_TEXTS)] = this.odd()
    return object
  }

  #array({ items }: ApiSchema, name: string, depth: number): unknown[] {
    const item = (Array.isArray(items) ? items[0] : items) as ApiSchema | undefined
    return several(this.#random, 4, () => this.of(item, name, depth + 1))
  }

  #number({ minimum = -10, maximum = 1e9 }: ApiSchema): number {
    return pick(this.#random, [minimum, maximum, minimum - 1, maximum + 1, 0, 5_000, 1.5, 250])
  }

  #time(): string {
    const at = Date.now() - integer(this.#random, 3_600_000)
    return pick(this.#random, [new Date(at).toISOString(), String(at), 'seq:1', 'seq:3', ...ODD_TEXTS])
  }
}
