-- One attack per line that is a SELECT, a DESCRIBE or an EXPLAIN like any other: what it answers, or how it fails, shows nothing hidden.
-- look-alikes, invisible characters
select\u00a0*\u00a0from\u00a0sales.orders
select\u2028* from sales.orders
select \u212aurtosis(1)
with K as (select 1 x) select * from k
select 1 as "\u202ereversed", * from sales.orders
select '\u202e' from sales.orders
select * from sales.orders -- \u2028 union all select * from base.main.orders
select * from sales.orders --\u0085 union all from base.main.orders
-- comments, strings, dollars
select /* /* */ note from base.main.orders */ 1
select $a$ $b$ $a$, 1 from sales.orders where $$x$$ = 'x'
select $tag$ ' from base.main.orders -- $tag$ from sales.orders
select $é$x$é$
select U&'\0061' from sales.orders
select U&"\0061" from sales.orders
select 'a' -- x\n'b' from sales.orders
select "a""b" from sales.orders
select [note] from sales.orders
-- numbers, parameters, positions
select 1_000, 1e3_0, 0x_ff, 0b1_0, 0o17
select 1_ from sales.orders
select #1 from sales.orders
select #0 from sales.orders
select #99 from sales.orders
select #1.note from sales.orders
select order_id from sales.orders order by #1
select $"note" from sales.orders
select $note from sales.orders limit $note
select {note} from sales.orders
select * from sales.orders where {fn now()} is not null
-- relations
select * from main.pin_sales__orders
select * from memory.pin_sales__orders
select * from sales.orders as 'x'
select * from sales.orders 'x'
select 'x'.note from sales.orders 'x'
select * from sales.orders as "base.main.orders"
select * from sales.orders as t('a', 'b')
select note as 'x' from sales.orders
select * from sales.orders tablesample 10%
select * from sales.orders tablesample (10 percent)
select * from sales.orders tablesample system (10)
select * from sales.orders tablesample bernoulli (10 percent) repeatable (1)
select * from sales.orders tablesample ((select 1) rows)
select * from sales.orders tablesample reservoir(1000000000 rows)
select * from sales.orders using sample 10% (system, 42)
select * from sales.orders tablesample mine(10)
select * from unnest([1]) with ordinality
select * from range(3) with ordinality as t(a, b)
select * from generate_series(1, 2) as "base.main.orders"
from json_each('{"a": 1}')
select j.* from sales.orders o, json_each(to_json(o)) j
select j.value from sales.orders o, lateral json_tree(to_json(o)) j
select * from json_each('[1]') with ordinality
select rowid from sales.orders
select file_row_number, filename from sales.orders
select orders.rowid from sales.orders
select file_index from sales.orders
select * from (values (1)) as base(main)
with base(main) as (values (1)) select base.main from base
with sales as (select 1 as orders) select sales.orders from sales
with orders as (select 'x' as note) select sales.orders.note from sales.orders, orders
with recursive r(n) using key (n) as (select 1 union select n + 1 from r where n < 3) select * from r
with recursive r(n) using key (n) as (select 1 union select n from recurring.r) select * from r
with recursive r as (select 1 n union all select n + 1 from recurring.r where n < 3) select * from r
with a as not materialized (from sales.orders) select note from a
with a as (from sales.orders) table a
with a(x, x) as (select 1, 2) select * from a
-- clauses
select * from sales.orders limit (select 1) percent
select * from sales.orders limit 1 with ties
select region from sales.orders group by rollup(region) having grouping(region) = 1
select * from sales.orders order by all
select sum(amount) over (order by order_id groups between 1 preceding and 1 following exclude group) from sales.orders
select * rename (note as "x from base.main.orders --") from sales.orders
select * rename (order_id as note, note as order_id) from sales.orders
select * like '%' from sales.orders
select * similar to '.*' from sales.orders
select columns(*)::varchar from sales.orders
select orders.* like 'n%' from sales.orders
select unpack(columns(*)) from sales.orders
select struct_pack(*columns(*)) from sales.orders
select sales.* from sales.orders
select base.main.orders.note from sales.orders
select memory.main.pin_sales__orders.note from sales.orders
select pin_sales__orders.note from sales.orders
select governed_0.note from sales.orders
select "governed_0"."secret" from sales.orders
select orders.secret from sales.orders
select sales.orders.secret from sales.orders
select o.secret from sales.orders o
select (o).secret from sales.orders o
select o['secret'] from sales.orders o
select struct_extract(o, 'secret') from sales.orders o
select o.* exclude (note) from sales.orders o
-- pivots
pivot_wider sales.orders on region in ('EU') using count(*)
select * from sales.orders pivot (count(*) for region in ('EU' as "x from base.main.orders --"))
select * from sales.orders pivot (count(*) for (region, note) in (('EU', 'x')))
unpivot sales.orders on columns(*)::varchar into name n value v
select * from sales.orders unpivot (v for n in (note, region))
select * from sales.orders unpivot (v for n in (secret))
-- statements within and behind
from sales.orders select note where region = 'US'
-- calls
select main.upper('a')
select system.main.upper('a')
select pg_catalog.upper('a')
select UPPER ('a')
select 'a'.upper()
select ('a').upper()
select note.upper() from sales.orders
select orders.note.upper() from sales.orders
select sales.orders.note.upper() from sales.orders
select sum(amount) export_state from sales.orders
select 'x'::"INTEGER) from base.main.orders --"
select note::enum('NOTE') from sales.orders
select x::decimal(10, (select 1)) from sales.orders
select note collate de.noaccent from sales.orders
select note collate base.main.x from sales.orders
select extract(note from sales.orders)
select trim(note from sales.orders)
select interval '1' "day"
select (interval '1 day'), interval note from sales.orders
select row(o) from sales.orders o
select string_agg(distinct note, ',' order by note desc) filter (where region = 'US') from sales.orders
select try(cast(note as int)) from sales.orders
select {'getenv': 1}.getenv
select user
select "user"
select current_date, current_time, localtime, localtimestamp, current_timestamp
select "current_date", "localtime"
select pi()
select random() from sales.orders
select gen_random_uuid()
select hash(o) from sales.orders o
select typeof(o) from sales.orders o
select pg_typeof(note) from sales.orders
select unnest(o, recursive := true) from sales.orders o
select unnest(o, max_depth := 2) from sales.orders o
select generate_subscripts([1], 1)
-- samples, statistics
select count(*) from sales.orders tablesample system(50%) repeatable (7)
select count(*) from sales.orders tablesample 50% 
select max(order_id), min(order_id), entropy(order_id) from sales.orders
-- capture, summaries
select 'a'::"VARCHAR) from base.main.orders --"
select from_json('[1]', '["INTEGER"]')
select json_transform('{"a": 1, "b": [null]}', '{"a": "INTEGER", "b": ["NULL"], "c": {"d": "DECIMAL(9, 2)"}}')
select l.* from (select 'EU' as region) t, lateral (select note from sales.orders) l
select l.* from (select 'US' as region, 'x' as secret) t, lateral (select * from sales.orders) l
select (select count(*) from sales.orders where note = t.note) from (select 'NOTE-US-1' as note) t
with orders as (select 'US' as region, 'x' as secret) select o.* from orders, sales.orders o
select governed_0.* from (select 'US' as region) governed_0, lateral (select note from sales.orders) l
select o.region, p.region from sales.orders o, sales.orders p where o.order_id = p.order_id
select region from sales.orders o where exists (select 1 from sales.orders where orders.order_id = o.order_id + 1)
select min(note), max(note), count(distinct note), any_value(note), mode(note) from sales.orders
select min(person_id), max(person_id), count(person_id), approx_count_distinct(person_id) from sales.orders
select approx_top_k(note, 30), histogram(region), list(distinct region) from sales.orders
summarize sales.orders
summarize select * from sales.orders where region = 'US'
select * from (summarize sales.orders)
select min, max, approx_unique from (summarize sales.orders)
describe sales.orders
describe select secret from sales.orders
explain select secret from sales.orders
