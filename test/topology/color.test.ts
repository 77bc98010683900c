import { expect, test } from 'bun:test'
import { COLOR_NAMES, parseColor, textColorOn } from '../../src/core/color.ts'

test.each([
  ['white', 'white'],
  ['Red', 'red'],
  ['FUCHSIA', 'fuchsia'],
  ['orange', 'orange'],
  ['#00ffcc', '#00ffcc'],
  ['#FF0066', '#ff0066'],
])('%p is the color %p', (text, color) => {
  expect(parseColor(text)).toBe(color)
})

test.each([
  '',
  ' red',
  'red;',
  '#fff',
  '#00ffcc80',
  '00ffcc',
  '#00ffcg',
  '#00ffcc\n',
  'url(//x)',
  'rgb(0,0,0)',
  'transparent',
  'rebeccapurple',
  'constructor',
  '__proto__',
  'toString',
])('%p isn’t a color', (text) => {
  expect(parseColor(text)).toBeUndefined()
})

test('the sixteen basic colors of CSS and the usual others have names', () => {
  const usual =
    'aqua black blue fuchsia gray green lime maroon navy olive purple red silver teal white yellow ' +
    'orange pink cyan magenta grey brown violet gold'
  expect([...COLOR_NAMES].sort()).toEqual(usual.split(' ').sort())
})

test('text has a contrast of at least 4.3 on every name and every grey', () => {
  const greys = Array.from({ length: 256 }, (_, level) => `#${level.toString(16).padStart(2, '0').repeat(3)}`)
  for (const fill of [...COLOR_NAMES, ...greys]) {
    const [light = 0, dark = 0] = [luminance(fill), luminance(textColorOn(fill))].sort((a, b) => b - a)
    expect({ fill, isReadable: (light + 0.05) / (dark + 0.05) >= 4.3 }).toEqual({ fill, isReadable: true })
  }
})

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = Bun.color(color, '[rgb]') ?? []
  const [r = 0, g = 0, b = 0] = [red, green, blue].map((channel) => {
    const part = channel / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
