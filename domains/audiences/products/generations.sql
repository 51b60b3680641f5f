-- One region's persons by decade of birth; the region is the partition's.
SELECT region, birth_year // 10 * 10 AS decade, count(*) AS persons
FROM audiences.persons
WHERE region = $partition
GROUP BY ALL
ORDER BY decade
