import { expect, test } from 'bun:test'
import { bodyInstead } from '../../src/sim/faults/answers.ts'
import { BODY_FAULTS, type BodyFault, readFaults } from '../../src/sim/faults/faults.ts'
import { type Content, contentOf, parseDocument } from '../../src/streams/content/content.ts'

const CONTENTS: Record<BodyFault, Content['as']> = {
  ...{ page: 'text', half: 'text', image: 'bytes', empty: 'empty', none: 'empty' },
}

test.each([...BODY_FAULTS])('a service can answer with %s instead of a document', async (body) => {
  expect(readFaults({ sse: { body } })).toEqual({ faults: { sse: { body } } })
  const response = bodyInstead(body)
  const content = contentOf(await response.bytes(), response.headers)
  expect(content.as).toBe(CONTENTS[body])
  if (content.as === 'text') expect(() => parseDocument(content.text)).toThrow(SyntaxError)
})
