-- How genres and formats are answered to: our files beside what the events domain counted for them.
SELECT
    coalesce(w.genre, 'Unknown') AS genre,
    f.format AS format,
    count(*) AS files_shown,
    CAST(sum(p.impressions) AS BIGINT) AS impressions,
    CAST(sum(p.clicks) AS BIGINT) AS clicks,
    round(CAST(sum(p.clicks) AS DOUBLE) / CAST(sum(p.impressions) AS DOUBLE), 6) AS click_rate
FROM events.creative_performance AS p
JOIN creatives.files AS f ON f.creative_file_id = p.creative_file_id
JOIN creatives.works AS w ON w.work_id = f.work_id
GROUP BY coalesce(w.genre, 'Unknown'), f.format
ORDER BY genre, format
