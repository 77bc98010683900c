// Runs on the page of a stream: draws its charts with readable values, and keeps them current.
import { momentText, timeZone } from '../../layout/client/zone.ts'

interface ChartData {
  unit: 'bytes' | 'count' | 'ms'
  at: number[]
  series: { label: string; values: (number | null)[] }[]
}
interface Plot {
  setData(data: unknown[]): void
  setSize(size: { width: number; height: number }): void
  destroy(): void
}
declare const uPlot: {
  new (options: object, data: unknown[], target: HTMLElement): Plot
  tzDate(date: Date, zone: string): Date
}

/** How often charts are refreshed, in milliseconds. */
const REFRESH_MS = 10_000
const HEIGHT = 160
const bytes = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })

const panel = document.getElementById('charts')
if (panel !== null && typeof uPlot !== 'undefined') keepsCharts(panel)

function keepsCharts(panel: HTMLElement): void {
  const plots = new Map<HTMLElement, Plot>()
  const figures = () => [...panel.querySelectorAll<HTMLElement>('[data-chart]')]

  function draw(): void {
    for (const figure of figures()) {
      const target = figure.querySelector<HTMLElement>('.plot')
      if (target === null) continue
      plots.get(figure)?.destroy()
      const drawn = target.querySelector('svg')
      const data = JSON.parse(figure.dataset.chart ?? '') as ChartData
      const plot = new uPlot(optionsOf(data, target.clientWidth), aligned(data), target)
      plots.set(figure, plot)
      // The server's picture stays for screen readers.
      drawn?.classList.add('hidden')
    }
  }

  async function refresh(): Promise<void> {
    if (document.hidden) return
    const response = await fetch(panel.dataset.source ?? '', { headers: { 'HX-Request': 'true' } })
    if (!response.ok) return
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    for (const figure of figures()) {
      const next = fresh.getElementById(figure.id)
      if (next === null || next.dataset.chart === undefined) continue
      const isSame = linesOf(figure) === linesOf(next)
      figure.dataset.chart = next.dataset.chart
      if (isSame) plots.get(figure)?.setData(aligned(JSON.parse(next.dataset.chart) as ChartData))
      else draw()
    }
    for (const now of fresh.querySelectorAll<HTMLElement>('[data-live]')) {
      const old = document.querySelector(`[data-live="${now.dataset.live}"]`)
      if (old === null) continue
      old.innerHTML = now.innerHTML
      const label = now.getAttribute('aria-label')
      if (label !== null) old.setAttribute('aria-label', label)
    }
  }

  draw()
  const resize = new ResizeObserver(() => {
    for (const [figure, plot] of plots) {
      const width = figure.querySelector('.plot')?.clientWidth ?? 0
      if (width > 0) plot.setSize({ width, height: HEIGHT })
    }
  })
  resize.observe(panel)
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', draw)
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ['data-theme'] })
  // The page already shows that Weir is unreachable; the next refresh retries.
  setInterval(() => void refresh().catch(() => {}), REFRESH_MS)
}

function linesOf(figure: HTMLElement): number {
  return (JSON.parse(figure.dataset.chart ?? '') as ChartData).series.length
}

/** Reads custom properties as the colors of the scheme in use, which a canvas can draw with. */
function colors(): (name: string) => string {
  const { style } = document.documentElement
  return (name) => {
    style.outlineColor = `var(${name})`
    const color = getComputedStyle(document.documentElement).outlineColor
    style.outlineColor = ''
    return color
  }
}

function optionsOf({ unit, series }: ChartData, width: number): object {
  const color = colors()
  const text = (value: number | null | undefined) => (value == null ? '–' : textOf(value, unit))
  const axis = {
    stroke: color('--soft'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1 },
    font: '12px system-ui',
  }
  const strokes = [color('--neon'), color('--pink')]
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    tzDate: (seconds: number) => zoned(new Date(seconds * 1_000)),
    cursor: { y: false },
    scales: { y: { range: (_plot: unknown, _min: number, max: number) => [0, max > 0 ? max * 1.1 : 1] } },
    series: [
      {},
      ...series.map(({ label }, index) => ({
        label,
        stroke: strokes[index],
        width: 1.5,
        points: { show: unit === 'ms', size: 4 },
        dash: index === 0 ? undefined : [6, 3],
        value: (_plot: unknown, value: number | null) => text(value),
      })),
    ],
    axes: [axis, { ...axis, size: 64, values: (_plot: unknown, ticks: number[]) => ticks.map(text) }],
    plugins: [readout(series, text)],
  }
}

/** Shows the values under the pointer, below the chart. */
function readout(series: ChartData['series'], text: (value: number | null | undefined) => string): object {
  return {
    hooks: {
      setCursor: (plot: { root: HTMLElement; cursor: { idx: number | null }; data: (number | null)[][] }) => {
        const scale = plot.root.closest('figure')?.querySelector('.scale')
        const { idx } = plot.cursor
        if (scale == null || idx == null) return
        const at = new Date((plot.data[0]?.[idx] ?? 0) * 1_000)
        const values = series.map(({ label }, index) => `${label} ${text(plot.data[index + 1]?.[idx])}`)
        scale.textContent = `${momentText(at)}: ${values.join(', ')}`
      },
    },
  }
}

/** In the zone of the axes. */
function zoned(at: Date): Date {
  const zone = timeZone()
  return zone === undefined ? at : uPlot.tzDate(at, zone)
}

/** uPlot counts in seconds. */
function aligned({ at, series }: ChartData): unknown[] {
  return [at.map((ms) => ms / 1_000), ...series.map(({ values }) => values)]
}

function textOf(value: number, unit: ChartData['unit']): string {
  if (unit === 'bytes') return `${bytes.format(value)}B`.replace('K', 'k')
  if (unit === 'count') return value.toLocaleString()
  return value >= 1_000 ? `${(value / 1_000).toPrecision(3)} s` : `${Number(value.toPrecision(3))} ms`
}
