/**
 * What a row is: the contract between `rows/`, which measure, and `report.mjs`, which judges and prints.
 *
 * @typedef {object} Row
 * @property {string} name as it is asked for: `npm run bench -- NAME`
 * @property {string} title what is measured, in words
 * @property {string} unit of the series that name none of their own
 * @property {string} limit the bare operation that nothing which does this job can beat
 * @property {readonly Goal[]} goals none: the row is for information
 * @property {string} [group] rows that are measured when their group is named, never by default; results have its name
 * @property {Comparison} [comparison] the row can be compared with an earlier commit
 * @property {boolean} [needsPeers] the packages of `bench/peers/` are installed before it is measured
 * @property {(context: Context) => Promise<Measured>} run
 *
 * @typedef {object} Comparison
 * @property {readonly string[]} series how the names of the compared series begin
 * @property {number} atMost the ratio of times, new / old, above which the whole interval must not lie
 *
 * @typedef {{ rounds: number, tokens: number }} Options
 * @typedef {Options & { folder: string }} Context `folder` is empty, and is deleted after the row
 *
 * @typedef {object} Goal
 * @property {string} of the key in `Measured.values`
 * @property {string} says the value in words
 * @property {string} unit
 * @property {number} [atMost]
 * @property {number} [atLeast]
 *
 * @typedef {object} Measured
 * @property {readonly Series[]} series ours first, then the limit, then peers and what helps to read the numbers
 * @property {Readonly<Record<string, number>>} values what goals are about, and other single numbers
 * @property {Readonly<Record<string, string>>} [absent] why a value is not there: something is not installed
 *
 * @typedef {object} Series
 * @property {string} name `limit: …` for limits
 * @property {'peer'} [of] somebody else's; default: ours
 * @property {string} [unit]
 * @property {readonly number[]} rounds one number per round
 * @property {number} [p99] over all rounds, where single batches or requests are known
 */
export {}
