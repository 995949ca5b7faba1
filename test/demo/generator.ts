import type { Declaration } from './declaration.ts'
import type { Economy } from './economies.ts'
import { type Day, Model } from './model.ts'
import { Draws } from './random.ts'

/** An amended declaration is one of the last that many. */
const NEAR_PAST = 400

/**
 * The declarations of a country in 2024 in the order of their dates: always the same for the same economy and number. Values
 * are log-normal by sector and so heavy-tailed; traders follow Zipf's law within each sector.
 */
export function* declarations(economy: Economy, records: number): Generator<Declaration> {
  const draws = new Draws(`Inbond demo, declarations of 2024, ${economy.code}`)
  const model = new Model(economy, records, draws)
  const recent: Declaration[] = []
  const whole = model.days.reduce((sum, day) => sum + day.weight, 0)
  let [today, passed, number] = [0, 0, 0]
  for (let i = 0; i < records; i++) {
    const moment = ((i + 0.5) / records) * whole
    while (passed + (model.days[today] as Day).weight < moment) passed += (model.days[today++] as Day).weight
    const amended = draws.chance(economy.faults.amended) ? recent[draws.below(recent.length)] : undefined
    if (amended) {
      yield { ...amended, value: { units: Math.round(amended.value.units * (0.6 + draws.uniform())), beyond: '' } }
      continue
    }
    const declaration = model.draw(++number, model.days[today] as Day)
    recent[i % NEAR_PAST] = declaration
    yield declaration
  }
}
