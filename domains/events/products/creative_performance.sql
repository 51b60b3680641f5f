-- Per creative file that was shown: impressions, clicks, cost, and over which days.
SELECT
    i.creative_file_id AS creative_file_id,
    count(*) AS impressions,
    count(*) FILTER (WHERE i.viewable) AS viewable_impressions,
    count(c.impression_id) AS clicks,
    round(CAST(count(c.impression_id) AS DOUBLE) / CAST(count(*) AS DOUBLE), 6) AS click_rate,
    CAST(sum(i.cost_micros) AS BIGINT) AS cost_micros,
    CAST(min(i.occurred_at) AS DATE) AS first_shown_on,
    CAST(max(i.occurred_at) AS DATE) AS last_shown_on
FROM events.impressions AS i
LEFT JOIN events.clicks AS c ON c.impression_id = i.impression_id
GROUP BY i.creative_file_id
ORDER BY creative_file_id
