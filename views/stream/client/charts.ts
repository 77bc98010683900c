// Runs on the page of a stream: draws its charts so that values can be read off, and keeps them current.
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

/** How often charts are asked for anew, in milliseconds. */
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
      // The picture that was there stays for those who are read its label.
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
      figure.dataset.chart = next.dataset.chart
      plots.get(figure)?.setData(aligned(JSON.parse(next.dataset.chart) as ChartData))
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
  // Weir being away is said by the page already; the next time asks again.
  setInterval(() => void refresh().catch(() => {}), REFRESH_MS)
}

function optionsOf({ unit, series }: ChartData, width: number): object {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const text = (value: number | null | undefined) => (value == null ? '–' : textOf(value, unit))
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui',
  }
  const strokes = [colour('--neon'), colour('--pink')]
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

/** Says beside the chart's name what is under the pointer. */
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

/** As the axes write it. */
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
