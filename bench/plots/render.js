/**
 * Renders charts to SVG: reads `[{ file, width, height, option }]` as JSON on the standard input, where an option is
 * what ECharts calls so, and writes the files. Plain JavaScript, because the types of ECharts are not installed with
 * this project's.
 */
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import * as echarts from 'echarts'

for (const { file, width, height, option } of JSON.parse(await text(process.stdin))) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption(option)
  const svg = chart.renderToSVGString()
  // What readers of the screen say; and no styles, which are for pointers and differ from run to run.
  const title = `<title>${option.title.text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</title>`
  const plain = svg.replace(/<style[\s\S]*<\/style>\n?/, '').replaceAll(/ class="[^"]*"/g, '')
  writeFileSync(file, `${plain.replace('>', `>\n${title}`)}\n`)
  chart.dispose()
}
