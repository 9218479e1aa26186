import io.kestra.core.models.dashboards.DataFilter;
import io.kestra.core.models.dashboards.charts.DataChart;
import io.kestra.core.models.validations.ModelValidator;
import io.kestra.core.repositories.QueryBuilderInterface;
import io.kestra.core.serializers.YamlParser;
import io.micronaut.context.ApplicationContext;
import io.micronaut.data.model.Pageable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZonedDateTime;

/**
 * Validates a dashboard as Kestra does, and runs the query of each chart on an empty repository. An engine without a web
 * server has no other way to say whether a dashboard is valid: java -cp 'KESTRA/*' Dashboard.java FILE.
 */
public final class Dashboard {
    @SuppressWarnings({"unchecked", "rawtypes"})
    public static void main(String[] args) throws Exception {
        int code = 1;
        try (ApplicationContext context = ApplicationContext.builder().deduceEnvironment(false).start()) {
            var source = Files.readString(Path.of(args[0]));
            var dashboard = YamlParser.parse(source, io.kestra.core.models.dashboards.Dashboard.class);
            context.getBean(ModelValidator.class).validate(dashboard);
            var now = ZonedDateTime.now();
            for (var chart : dashboard.getCharts()) {
                var data = (DataFilter) ((DataChart) chart).getData();
                var repository = (QueryBuilderInterface) context.getBean(data.repositoryClass());
                repository.fetchData("main", data, now.minusDays(7), now, Pageable.from(1, 100));
                System.out.println("valid: " + chart.getId());
            }
            code = 0;
        } catch (RuntimeException error) {
            System.err.println(error.getMessage());
        }
        // Threads of the engine would keep the process alive.
        System.exit(code);
    }
}
