-- row_count_between
SELECT COUNT(*) FROM "iceberg"."events"."part"

-- row_count_equal
SELECT COUNT(*) FROM "iceberg"."events"."part"

-- row_count_equal_other_table
SELECT COUNT(*) FROM "iceberg"."events"."part"

-- unexpected_rows
-- trino has no equal for *

-- not_null__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "whole" IS NULL), 0) FROM "iceberg"."events"."part"

-- null__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "whole" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__whole
SELECT COUNT(*), COUNT("whole") FROM "iceberg"."events"."part"

-- unique__whole
SELECT COUNT(*) FROM (SELECT DISTINCT "whole" AS "key_0" FROM "iceberg"."events"."part" WHERE NOT "whole" IS NULL) AS "keys"

-- proportion_of_non_null_values_between__whole
SELECT COALESCE(CAST(COUNT("whole") AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__whole
SELECT COUNT("whole") FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__whole
SELECT COUNT("key_0") FROM (SELECT DISTINCT "whole" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__whole
SELECT COUNT("whole") FROM "iceberg"."events"."part"

-- unique_value_count_between__whole
SELECT COUNT("key_0") FROM (SELECT DISTINCT "whole" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- not_null__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "real" IS NULL OR IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- null__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT ("real" IS NULL OR IS_NAN("real"))), 0) FROM "iceberg"."events"."part"

-- unique__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- unique__real
SELECT COUNT(*) FROM (SELECT DISTINCT IF(IS_NAN("real"), NULL, "real") AS "key_0" FROM "iceberg"."events"."part" WHERE NOT ("real" IS NULL OR IS_NAN("real"))) AS "keys"

-- proportion_of_non_null_values_between__real
SELECT COALESCE(CAST(COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__real
SELECT COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__real
SELECT COUNT("key_0") FROM (SELECT DISTINCT IF(IS_NAN("real"), NULL, "real") AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__real
SELECT COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- unique_value_count_between__real
SELECT COUNT("key_0") FROM (SELECT DISTINCT IF(IS_NAN("real"), NULL, "real") AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- not_null__price
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "price" IS NULL), 0) FROM "iceberg"."events"."part"

-- null__price
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__price
SELECT COUNT(*), COUNT("price") FROM "iceberg"."events"."part"

-- unique__price
SELECT COUNT(*) FROM (SELECT DISTINCT "price" AS "key_0" FROM "iceberg"."events"."part" WHERE NOT "price" IS NULL) AS "keys"

-- proportion_of_non_null_values_between__price
SELECT COALESCE(CAST(COUNT("price") AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__price
SELECT COUNT("price") FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__price
SELECT COUNT("key_0") FROM (SELECT DISTINCT "price" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__price
SELECT COUNT("price") FROM "iceberg"."events"."part"

-- unique_value_count_between__price
SELECT COUNT("key_0") FROM (SELECT DISTINCT "price" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- not_null__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" IS NULL), 0) FROM "iceberg"."events"."part"

-- null__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "text" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__text
SELECT COUNT(*), COUNT("text") FROM "iceberg"."events"."part"

-- unique__text
SELECT COUNT(*) FROM (SELECT DISTINCT "text" AS "key_0" FROM "iceberg"."events"."part" WHERE NOT "text" IS NULL) AS "keys"

-- proportion_of_non_null_values_between__text
SELECT COALESCE(CAST(COUNT("text") AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__text
SELECT COUNT("text") FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__text
SELECT COUNT("key_0") FROM (SELECT DISTINCT "text" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__text
SELECT COUNT("text") FROM "iceberg"."events"."part"

-- unique_value_count_between__text
SELECT COUNT("key_0") FROM (SELECT DISTINCT "text" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- not_null__instant
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "instant" IS NULL), 0) FROM "iceberg"."events"."part"

-- null__instant
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "instant" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__instant
SELECT COUNT(*), COUNT("instant") FROM "iceberg"."events"."part"

-- unique__instant
SELECT COUNT(*) FROM (SELECT DISTINCT "instant" AS "key_0" FROM "iceberg"."events"."part" WHERE NOT "instant" IS NULL) AS "keys"

-- proportion_of_non_null_values_between__instant
SELECT COALESCE(CAST(COUNT("instant") AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__instant
SELECT COUNT("instant") FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__instant
SELECT COUNT("key_0") FROM (SELECT DISTINCT "instant" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__instant
SELECT COUNT("instant") FROM "iceberg"."events"."part"

-- unique_value_count_between__instant
SELECT COUNT("key_0") FROM (SELECT DISTINCT "instant" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- not_null__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "uuid" IS NULL), 0) FROM "iceberg"."events"."part"

-- null__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "uuid" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__uuid
SELECT COUNT(*), COUNT("uuid") FROM "iceberg"."events"."part"

-- unique__uuid
SELECT COUNT(*) FROM (SELECT DISTINCT "uuid" AS "key_0" FROM "iceberg"."events"."part" WHERE NOT "uuid" IS NULL) AS "keys"

-- proportion_of_non_null_values_between__uuid
SELECT COALESCE(CAST(COUNT("uuid") AS DOUBLE) / NULLIF(COUNT(*), 0), 0) FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__uuid
SELECT COUNT("uuid") FROM "iceberg"."events"."part"

-- proportion_of_unique_values_between__uuid
SELECT COUNT("key_0") FROM (SELECT DISTINCT "uuid" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- unique_value_count_between__uuid
SELECT COUNT("uuid") FROM "iceberg"."events"."part"

-- unique_value_count_between__uuid
SELECT COUNT("key_0") FROM (SELECT DISTINCT "uuid" AS "key_0" FROM "iceberg"."events"."part") AS "keys"

-- in_set__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "whole" IN (1)), 0), COUNT("whole") FROM "iceberg"."events"."part"

-- not_in_set__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "whole" IN (1)), 0), COUNT("whole") FROM "iceberg"."events"."part"

-- most_common_value_in_set__whole
WITH "counted" AS (SELECT "whole", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT "whole" IS NULL GROUP BY "whole") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "whole" IN (1)), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__whole
SELECT COUNT("whole"), COALESCE(COUNT(*) FILTER(WHERE "whole" IN (1)), 0) FROM (SELECT DISTINCT "whole" FROM "iceberg"."events"."part") AS "different" WHERE NOT "whole" IS NULL

-- distinct_values_contain_set__whole
SELECT COUNT("whole"), COALESCE(COUNT(*) FILTER(WHERE "whole" IN (1)), 0) FROM (SELECT DISTINCT "whole" FROM "iceberg"."events"."part") AS "different" WHERE NOT "whole" IS NULL

-- distinct_values_equal_set__whole
SELECT COUNT("whole"), COALESCE(COUNT(*) FILTER(WHERE "whole" IN (1)), 0) FROM (SELECT DISTINCT "whole" FROM "iceberg"."events"."part") AS "different" WHERE NOT "whole" IS NULL

-- between__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "whole" < 1), 0), COUNT("whole") FROM "iceberg"."events"."part"

-- min_between__whole
SELECT MIN("whole") FROM "iceberg"."events"."part"

-- max_between__whole
SELECT MAX("whole") FROM "iceberg"."events"."part"

-- in_set__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real") AND NOT "real" IN (CAST('0.1' AS REAL))), 0), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- not_in_set__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real") AND "real" IN (CAST('0.1' AS REAL))), 0), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- most_common_value_in_set__real
WITH "counted" AS (SELECT "real", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT ("real" IS NULL OR IS_NAN("real")) GROUP BY "real") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "real" IN (CAST('0.1' AS REAL))), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__real
SELECT COUNT("real"), COALESCE(COUNT(*) FILTER(WHERE "real" IN (CAST('0.1' AS REAL))), 0) FROM (SELECT DISTINCT "real" FROM "iceberg"."events"."part") AS "different" WHERE NOT ("real" IS NULL OR IS_NAN("real"))

-- distinct_values_contain_set__real
SELECT COUNT("real"), COALESCE(COUNT(*) FILTER(WHERE "real" IN (CAST('0.1' AS REAL))), 0) FROM (SELECT DISTINCT "real" FROM "iceberg"."events"."part") AS "different" WHERE NOT ("real" IS NULL OR IS_NAN("real"))

-- distinct_values_equal_set__real
SELECT COUNT("real"), COALESCE(COUNT(*) FILTER(WHERE "real" IN (CAST('0.1' AS REAL))), 0) FROM (SELECT DISTINCT "real" FROM "iceberg"."events"."part") AS "different" WHERE NOT ("real" IS NULL OR IS_NAN("real"))

-- between__real
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real") AND "real" < CAST('0.1' AS REAL)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- min_between__real
SELECT MIN(IF(IS_NAN("real"), NULL, "real")) FROM "iceberg"."events"."part"

-- max_between__real
SELECT MAX(IF(IS_NAN("real"), NULL, "real")) FROM "iceberg"."events"."part"

-- in_set__price
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IN (1.1)), 0), COUNT("price") FROM "iceberg"."events"."part"

-- not_in_set__price
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "price" IN (1.1)), 0), COUNT("price") FROM "iceberg"."events"."part"

-- most_common_value_in_set__price
WITH "counted" AS (SELECT "price", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT "price" IS NULL GROUP BY "price") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "price" IN (1.1)), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__price
SELECT COUNT("price"), COALESCE(COUNT(*) FILTER(WHERE "price" IN (1.1)), 0) FROM (SELECT DISTINCT "price" FROM "iceberg"."events"."part") AS "different" WHERE NOT "price" IS NULL

-- distinct_values_contain_set__price
SELECT COUNT("price"), COALESCE(COUNT(*) FILTER(WHERE "price" IN (1.1)), 0) FROM (SELECT DISTINCT "price" FROM "iceberg"."events"."part") AS "different" WHERE NOT "price" IS NULL

-- distinct_values_equal_set__price
SELECT COUNT("price"), COALESCE(COUNT(*) FILTER(WHERE "price" IN (1.1)), 0) FROM (SELECT DISTINCT "price" FROM "iceberg"."events"."part") AS "different" WHERE NOT "price" IS NULL

-- between__price
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "price" < 1.10), 0), COUNT("price") FROM "iceberg"."events"."part"

-- min_between__price
SELECT MIN("price") FROM "iceberg"."events"."part"

-- max_between__price
SELECT MAX("price") FROM "iceberg"."events"."part"

-- in_set__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "text" IN ('a')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- not_in_set__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" IN ('a')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- most_common_value_in_set__text
WITH "counted" AS (SELECT "text", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT "text" IS NULL GROUP BY "text") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" IN ('a')), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__text
SELECT COUNT("text"), COALESCE(COUNT(*) FILTER(WHERE "text" IN ('a')), 0) FROM (SELECT DISTINCT "text" FROM "iceberg"."events"."part") AS "different" WHERE NOT "text" IS NULL

-- distinct_values_contain_set__text
SELECT COUNT("text"), COALESCE(COUNT(*) FILTER(WHERE "text" IN ('a')), 0) FROM (SELECT DISTINCT "text" FROM "iceberg"."events"."part") AS "different" WHERE NOT "text" IS NULL

-- distinct_values_equal_set__text
SELECT COUNT("text"), COALESCE(COUNT(*) FILTER(WHERE "text" IN ('a')), 0) FROM (SELECT DISTINCT "text" FROM "iceberg"."events"."part") AS "different" WHERE NOT "text" IS NULL

-- between__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" < 'a'), 0), COUNT("text") FROM "iceberg"."events"."part"

-- min_between__text
SELECT MIN("text") >= 'a', NULL FROM "iceberg"."events"."part"

-- max_between__text
SELECT MAX("text") >= 'a', NULL FROM "iceberg"."events"."part"

-- in_set__instant
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0), COUNT("instant") FROM "iceberg"."events"."part"

-- not_in_set__instant
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0), COUNT("instant") FROM "iceberg"."events"."part"

-- most_common_value_in_set__instant
WITH "counted" AS (SELECT "instant", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT "instant" IS NULL GROUP BY "instant") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__instant
SELECT COUNT("instant"), COALESCE(COUNT(*) FILTER(WHERE "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0) FROM (SELECT DISTINCT "instant" FROM "iceberg"."events"."part") AS "different" WHERE NOT "instant" IS NULL

-- distinct_values_contain_set__instant
SELECT COUNT("instant"), COALESCE(COUNT(*) FILTER(WHERE "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0) FROM (SELECT DISTINCT "instant" FROM "iceberg"."events"."part") AS "different" WHERE NOT "instant" IS NULL

-- distinct_values_equal_set__instant
SELECT COUNT("instant"), COALESCE(COUNT(*) FILTER(WHERE "instant" IN (FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00'))), 0) FROM (SELECT DISTINCT "instant" FROM "iceberg"."events"."part") AS "different" WHERE NOT "instant" IS NULL

-- between__instant
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "instant" < FROM_ISO8601_TIMESTAMP_NANOS('2026-02-28T18:59:59.999999+00:00')), 0), COUNT("instant") FROM "iceberg"."events"."part"

-- min_between__instant
-- trino has no equal for a cast to TEXT

-- max_between__instant
-- trino has no equal for a cast to TEXT

-- in_set__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- not_in_set__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- most_common_value_in_set__uuid
WITH "counted" AS (SELECT "uuid", COUNT(*) AS "occurrences" FROM "iceberg"."events"."part" WHERE NOT "uuid" IS NULL GROUP BY "uuid") SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0) FROM "counted" WHERE "occurrences" = (SELECT MAX("occurrences") FROM "counted")

-- distinct_values_in_set__uuid
SELECT COUNT("uuid"), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0) FROM (SELECT DISTINCT "uuid" FROM "iceberg"."events"."part") AS "different" WHERE NOT "uuid" IS NULL

-- distinct_values_contain_set__uuid
SELECT COUNT("uuid"), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0) FROM (SELECT DISTINCT "uuid" FROM "iceberg"."events"."part") AS "different" WHERE NOT "uuid" IS NULL

-- distinct_values_equal_set__uuid
SELECT COUNT("uuid"), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) IN ('ffffffff-ffff-ffff-ffff-ffffffffffff')), 0) FROM (SELECT DISTINCT "uuid" FROM "iceberg"."events"."part") AS "different" WHERE NOT "uuid" IS NULL

-- between__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) < 'ffffffff-ffff-ffff-ffff-ffffffffffff'), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- min_between__uuid
SELECT MIN(CAST("uuid" AS VARCHAR)) >= 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL FROM "iceberg"."events"."part"

-- max_between__uuid
SELECT MAX(CAST("uuid" AS VARCHAR)) >= 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL FROM "iceberg"."events"."part"

-- mean_between__whole
SELECT CAST(SUM(CAST("whole" AS DECIMAL(38, 0))) AS DOUBLE) / NULLIF(COUNT("whole"), 0) FROM "iceberg"."events"."part"

-- sum_between__whole
SELECT SUM(CAST("whole" AS DECIMAL(38, 0))) FROM "iceberg"."events"."part"

-- stdev_between__whole
SELECT STDDEV_SAMP(CAST("whole" AS DOUBLE)) FROM "iceberg"."events"."part"

-- median_between__whole
SELECT COUNT("whole") FROM "iceberg"."events"."part"

-- median_between__whole
-- trino has no equal for QUANTILE_DISC

-- quantile_values_between__whole
SELECT COUNT("whole") FROM "iceberg"."events"."part"

-- quantile_values_between__whole
-- trino has no equal for QUANTILE_DISC

-- mean_between__real
SELECT AVG(CAST(IF(IS_NAN("real"), NULL, "real") AS DOUBLE)) FROM "iceberg"."events"."part"

-- sum_between__real
SELECT SUM(CAST(IF(IS_NAN("real"), NULL, "real") AS DOUBLE)) FROM "iceberg"."events"."part"

-- stdev_between__real
SELECT STDDEV_SAMP(CAST(IF(IS_NAN("real"), NULL, "real") AS DOUBLE)) FROM "iceberg"."events"."part"

-- median_between__real
SELECT COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- median_between__real
-- trino has no equal for QUANTILE_DISC

-- quantile_values_between__real
SELECT COALESCE(COUNT(*) FILTER(WHERE NOT IS_NAN("real")), 0) FROM "iceberg"."events"."part"

-- quantile_values_between__real
-- trino has no equal for QUANTILE_DISC

-- mean_between__price
SELECT CAST(SUM("price") AS DOUBLE) / NULLIF(COUNT("price"), 0) FROM "iceberg"."events"."part"

-- sum_between__price
SELECT SUM("price") FROM "iceberg"."events"."part"

-- stdev_between__price
SELECT STDDEV_SAMP(CAST("price" AS DOUBLE)) FROM "iceberg"."events"."part"

-- median_between__price
SELECT COUNT("price") FROM "iceberg"."events"."part"

-- median_between__price
-- trino has no equal for QUANTILE_DISC

-- quantile_values_between__price
SELECT COUNT("price") FROM "iceberg"."events"."part"

-- quantile_values_between__price
-- trino has no equal for QUANTILE_DISC

-- value_lengths_equal__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE LENGTH("text") <> 0), 0), COUNT("text") FROM "iceberg"."events"."part"

-- value_lengths_between__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE LENGTH("text") <= 0), 0), COUNT("text") FROM "iceberg"."events"."part"

-- match_regex__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT REGEXP_LIKE("text", '\A(?:\Aa(?:\n?\z))\z')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- match_like_pattern__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "text" LIKE 'a'), 0), COUNT("text") FROM "iceberg"."events"."part"

-- match_regex_list__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT (REGEXP_LIKE("text", '\Aa') OR REGEXP_LIKE("text", '[A-Z]'))), 0), COUNT("text") FROM "iceberg"."events"."part"

-- match_like_pattern_list__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT ("text" LIKE 'a%' OR "text" LIKE '%\%')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- not_match_regex__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE REGEXP_LIKE("text", '\A(?:\Aa(?:\n?\z))\z')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- not_match_like_pattern__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" LIKE 'a'), 0), COUNT("text") FROM "iceberg"."events"."part"

-- not_match_regex_list__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE REGEXP_LIKE("text", '\Aa') OR REGEXP_LIKE("text", '[A-Z]')), 0), COUNT("text") FROM "iceberg"."events"."part"

-- not_match_like_pattern_list__text
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE "text" LIKE 'a%' OR "text" LIKE '%\%'), 0), COUNT("text") FROM "iceberg"."events"."part"

-- value_lengths_equal__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE LENGTH(CAST("uuid" AS VARCHAR)) <> 0), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- value_lengths_between__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE LENGTH(CAST("uuid" AS VARCHAR)) <= 0), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- match_regex__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT REGEXP_LIKE(CAST("uuid" AS VARCHAR), '\A(?:\Aa(?:\n?\z))\z')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- match_like_pattern__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT CAST("uuid" AS VARCHAR) LIKE 'a'), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- match_regex_list__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT (REGEXP_LIKE(CAST("uuid" AS VARCHAR), '\Aa') OR REGEXP_LIKE(CAST("uuid" AS VARCHAR), '[A-Z]'))), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- match_like_pattern_list__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT (CAST("uuid" AS VARCHAR) LIKE 'a%' OR CAST("uuid" AS VARCHAR) LIKE '%\%')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- not_match_regex__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE REGEXP_LIKE(CAST("uuid" AS VARCHAR), '\A(?:\Aa(?:\n?\z))\z')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- not_match_like_pattern__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) LIKE 'a'), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- not_match_regex_list__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE REGEXP_LIKE(CAST("uuid" AS VARCHAR), '\Aa') OR REGEXP_LIKE(CAST("uuid" AS VARCHAR), '[A-Z]')), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- not_match_like_pattern_list__uuid
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE CAST("uuid" AS VARCHAR) LIKE 'a%' OR CAST("uuid" AS VARCHAR) LIKE '%\%'), 0), COUNT("uuid") FROM "iceberg"."events"."part"

-- pair_values_equal__whole__big
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "whole" IS NULL OR NOT "big" IS NULL) AND NOT COALESCE("whole" = "big", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "whole" IS NULL OR NOT "big" IS NULL), 0) FROM "iceberg"."events"."part"

-- pair_values_a_greater_than_b__whole__big
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "whole" IS NULL OR NOT "big" IS NULL) AND NOT COALESCE("whole" > "big", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "whole" IS NULL OR NOT "big" IS NULL), 0) FROM "iceberg"."events"."part"

-- pair_values_equal__whole__real
-- trino has no equal for arithmetic of FLOATs

-- pair_values_a_greater_than_b__whole__real
-- trino has no equal for arithmetic of FLOATs

-- pair_values_equal__real__double
-- trino has no equal for arithmetic of FLOATs

-- pair_values_a_greater_than_b__real__double
-- trino has no equal for arithmetic of FLOATs

-- pair_values_equal__price__big
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "big" IS NULL) AND NOT COALESCE("price" = "big", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "big" IS NULL), 0) FROM "iceberg"."events"."part"

-- pair_values_a_greater_than_b__price__big
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "big" IS NULL) AND NOT COALESCE("price" > "big", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "big" IS NULL), 0) FROM "iceberg"."events"."part"

-- pair_values_equal__text__doc
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "text" IS NULL OR NOT "doc" IS NULL) AND NOT COALESCE("text" = CAST("doc" AS VARCHAR), FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "text" IS NULL OR NOT "doc" IS NULL), 0) FROM "iceberg"."events"."part"

-- pair_values_a_greater_than_b__text__doc
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "text" IS NULL OR NOT "doc" IS NULL) AND NOT COALESCE("text" > CAST("doc" AS VARCHAR), FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "text" IS NULL OR NOT "doc" IS NULL), 0) FROM "iceberg"."events"."part"

-- multicolumn_sum_equal__price__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "whole" IS NULL) AND NOT COALESCE(("price" + CAST("whole" AS DECIMAL(38, 0))) = 2, FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "whole" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique_within_record__price__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "whole" IS NULL) AND NOT COALESCE(NOT "price" IS NOT DISTINCT FROM "whole", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "whole" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__price__whole
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "whole" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__price__whole
SELECT COUNT(*) FROM (SELECT DISTINCT "price" AS "key_0", "whole" AS "key_1" FROM "iceberg"."events"."part" WHERE NOT "price" IS NULL OR NOT "whole" IS NULL) AS "keys"

-- multicolumn_sum_equal__real__small
-- trino has no equal for arithmetic of FLOATs

-- unique_within_record__real__small
-- trino has no equal for arithmetic of FLOATs

-- unique__real__small
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT ("real" IS NULL OR IS_NAN("real")) OR NOT "small" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__real__small
SELECT COUNT(*) FROM (SELECT DISTINCT IF(IS_NAN("real"), NULL, "real") AS "key_0", "small" AS "key_1" FROM "iceberg"."events"."part" WHERE NOT ("real" IS NULL OR IS_NAN("real")) OR NOT "small" IS NULL) AS "keys"

-- multicolumn_sum_equal__price__small
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "small" IS NULL) AND NOT COALESCE(("price" + CAST("small" AS DECIMAL(38, 0))) = 2, FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "small" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique_within_record__price__small
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE (NOT "price" IS NULL OR NOT "small" IS NULL) AND NOT COALESCE(NOT "price" IS NOT DISTINCT FROM "small", FALSE)), 0), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "small" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__price__small
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "price" IS NULL OR NOT "small" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__price__small
SELECT COUNT(*) FROM (SELECT DISTINCT "price" AS "key_0", "small" AS "key_1" FROM "iceberg"."events"."part" WHERE NOT "price" IS NULL OR NOT "small" IS NULL) AS "keys"

-- unique__uuid__bytes__flag
SELECT COUNT(*), COALESCE(COUNT(*) FILTER(WHERE NOT "uuid" IS NULL OR NOT "bytes" IS NULL OR NOT "flag" IS NULL), 0) FROM "iceberg"."events"."part"

-- unique__uuid__bytes__flag
SELECT COUNT(*) FROM (SELECT DISTINCT "uuid" AS "key_0", "bytes" AS "key_1", "flag" AS "key_2" FROM "iceberg"."events"."part" WHERE NOT "uuid" IS NULL OR NOT "bytes" IS NULL OR NOT "flag" IS NULL) AS "keys"

-- unique__uuid
SELECT COUNT(*) FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0), COUNT("uuid") FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0) FROM "iceberg"."events"."part"

-- unique__uuid
SELECT COUNT(*) FROM (SELECT DISTINCT "uuid" AS "key_0" FROM "iceberg"."events"."part" WHERE (NOT "whole" IS NULL AND "whole" > 0) AND NOT "uuid" IS NULL) AS "keys"

-- mean_between__price
SELECT CAST(SUM("price") FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0) AS DOUBLE) / NULLIF(COUNT("price") FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0), 0) FROM "iceberg"."events"."part"

-- stdev_between__price
SELECT STDDEV_SAMP(CAST("price" AS DOUBLE)) FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0) FROM "iceberg"."events"."part"

-- match_regex__text
SELECT COUNT(*) FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0), COALESCE(COUNT(*) FILTER(WHERE (NOT "whole" IS NULL AND "whole" > 0) AND NOT REGEXP_LIKE("text", '\A[a-z]')), 0), COUNT("text") FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0) FROM "iceberg"."events"."part"

-- row_count_between
SELECT COUNT(*) FILTER(WHERE NOT "whole" IS NULL AND "whole" > 0) FROM "iceberg"."events"."part"
