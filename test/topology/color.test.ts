import { expect, test } from 'bun:test'
import { COLOR_NAMES, colorValue, parseColor, textColorOn } from '../../src/core/color.ts'

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
  'rebeccapurpl',
  'hsl(120,50%,50%,0.5)',
  'hsl(120 50% 50% / 50%)',
  'hsla(120,50%,50%,1)',
  'hsl(120,50,50)',
  'hsl(120,50%,50%);stroke:red',
  'hsl(120,50%)',
  'hsl(1e9,50%,50%)',
  'hsl( 120 , 50% , 50% ) ',
  'constructor',
  '__proto__',
  'toString',
])('%p isn’t a color', (text) => {
  expect(parseColor(text)).toBeUndefined()
})

test('the 148 named colors of CSS have their values, which another parser knows as well', () => {
  expect(COLOR_NAMES).toHaveLength(148)
  expect(COLOR_NAMES.map(colorValue)).toEqual(COLOR_NAMES.map((name) => Bun.color(name, 'hex') as string))
})

test('a color of hue, saturation and lightness is the one that another parser makes of it', () => {
  for (let hue = -360; hue <= 720; hue += 7) {
    for (const [saturation, lightness] of [
      [0, 50],
      [100, 50],
      [33.3, 71],
      [80, 5],
      [100, 100],
      [140, 50],
    ]) {
      for (const text of [
        `hsl(${hue},${saturation}%,${lightness}%)`,
        `HSL(${hue}deg ${saturation}% ${lightness}%)`,
      ]) {
        const expected = Bun.color(text.toLowerCase(), '[rgb]') ?? []
        const channels = Bun.color(parseColor(text) ?? '', '[rgb]') ?? []
        // They may round a half to either side.
        for (const at of [0, 1, 2])
          expect(Math.abs((channels[at] ?? 999) - (expected[at] ?? 0))).toBeLessThanOrEqual(1)
      }
    }
  }
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
