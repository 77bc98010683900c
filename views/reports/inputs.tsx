import type { ReportData } from './report.tsx'

/** What it takes to calculate every figure again. */
export function Inputs({
  figures,
  comparisons,
  formulas,
}: Pick<ReportData, 'figures' | 'comparisons' | 'formulas'>) {
  return (
    <section>
      <h2>Recalculate</h2>
      <details>
        <summary>Formulas and inputs of every figure</summary>
        {figures.map(({ id, value, formula, inputs }) => (
          <>
            <h3 class="mono">{id}</h3>
            <p class="small">
              = {formulas[formula]} = {String(value)}
            </p>
            <pre>{JSON.stringify(inputs)}</pre>
          </>
        ))}
        <h3>comparisons</h3>
        <p class="small">at, compared, changed, comparedMs, changedMs</p>
        <pre>
          {comparisons
            .map(({ at, compared, changed, comparedMs, changedMs }) =>
              [at.toISOString(), compared, changed, comparedMs, changedMs].join(', '),
            )
            .join('\n')}
        </pre>
      </details>
    </section>
  )
}
