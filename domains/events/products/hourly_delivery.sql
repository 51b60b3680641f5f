-- One day's delivery by hour and placement; the window is the partition's.
SELECT
    CAST(occurred_at AS DATE) AS day,
    CAST(hour(occurred_at) AS INTEGER) AS hour,
    placement,
    count(*) AS impressions,
    count(*) FILTER (WHERE viewable) AS viewable,
    CAST(sum(cost_micros) AS BIGINT) AS cost_micros
FROM events.impressions
WHERE occurred_at >= $window_start AND occurred_at < $window_end
GROUP BY ALL
ORDER BY day, hour, placement
